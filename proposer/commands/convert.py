"""`lodescan convert`: translates a scan file from BSMArt's spelling to the plain spelling."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from scanspec import read_scan_file
from scanspec.plotting import read_plotting

_ON_ONE_LINE = ("variables", "observables")
"""Sections whose entries are printed on one line each."""


def convert(path: Path) -> int:
    """Prints the file in the plain spelling, and the changes on standard error. Returns 0. Raises ScanFileError."""
    text, changes = converted(path)
    sys.stdout.write(text)
    for line in changes:
        print(f"lodescan: {path}: {line}", file=sys.stderr)
    return 0


def converted(path: Path) -> tuple[str, list[str]]:
    """The file in the plain spelling, as YAML, and a line for each change."""
    scan = read_scan_file(path)
    yaml = YAML(typ="rt")
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_printed(scan.document), stream)
    plotting = read_plotting(scan)
    return stream.getvalue(), [*scan.changes, *scan.notes, *(plotting.notes if plotting is not None else ())]


def _printed(content: Any, section: str = "") -> Any:
    """A copy of a mapping as ruamel's type, without the lines and comments of its file."""
    if not isinstance(content, Mapping):
        return content
    found = CommentedMap()
    for key, value in content.items():
        found[key] = _printed(value, str(key))
        if section in _ON_ONE_LINE and isinstance(value, Mapping):
            found[key].fa.set_flow_style()
    return found
