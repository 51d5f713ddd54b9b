"""The keys of JSON objects, as docs/json.md lists them, and as an object has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "json.md"


def documented(title: str) -> set[str]:
    """The keys in the table below a title of the page."""
    _, found, rest = PAGE.read_text().partition(f"### `{title}`\n")
    assert found, f"the page has no table for {title}"
    return set(re.findall(r"(?m)^\| `([^`]+)` \|", re.split(r"(?m)^##", rest)[0]))


def keys_of(objects: Iterable[Any], known: set[str]) -> set[str]:
    """The keys of all these objects together, spelled as on the page. `known`: the keys on the page, which say what is
    an object with names as keys.
    """
    found: set[str] = set()

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict) and f"{path}{{}}" in known:
            found.add(f"{path}{{}}")
        elif isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{path}.{key}" if path else key)
        elif isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
            for entry in value:
                walk(entry, f"{path}[]")
        elif not any(name.startswith((f"{path}{{", f"{path}[", f"{path}.")) for name in known):
            found.add(path)
        elif value not in (None, []):
            found.add(path)  # the page has an object here

    for one in objects:
        walk(one, "")
    return found
