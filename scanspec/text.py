"""Text from elsewhere, made fit for a terminal."""

from __future__ import annotations

import re

_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?")  # colours, titles


def visible(text: str) -> str:
    """Keeps line ends and tabs; escape sequences go, and whatever else a terminal would obey becomes a mark."""
    if text.isprintable():
        return text
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return "".join(char if char.isprintable() or char in "\n\t" else _shown(char) for char in text)


def _shown(char: str) -> str:
    return " " if char.isspace() and not char.isascii() else "\N{REPLACEMENT CHARACTER}"
