"""Makes text from programs and files safe to print on a terminal."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?")  # colours, titles


def visible(text: str) -> str:
    """The text without escape sequences; other control characters become a mark, except line ends and tabs."""
    if text.isprintable():
        return text
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return "".join(char if char.isprintable() or char in "\n\t" else _shown(char) for char in text)


def _shown(char: str) -> str:
    return " " if char.isspace() and not char.isascii() else "\N{REPLACEMENT CHARACTER}"


def argument(path: Path) -> str:
    """A path as an argument of a command. A name that begins with - would be read as an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def quoted(path: Path) -> str:
    """A path as people type it in a shell."""
    return shlex.quote(argument(path))
