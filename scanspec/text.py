"""Makes text from programs and files safe to print on a terminal."""

from __future__ import annotations

import io
import os
import re
import shlex
import sys
import textwrap
from functools import partial
from pathlib import Path

_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)?")  # colours, titles

_COMMAND = re.compile(r"`[^`\n]+`|(?<!\w)'[^'\n]*/[^'\n]*'")  # also a quoted path
_LINES = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False, replace_whitespace=False)
_BEFORE, _BEHIND = "'\"`([<", "'\"`)]>.,;:"

MOST_WORDS = 10
"""The most words with blanks between them in a path that stays in one line."""


def visible(text: str) -> str:
    """The text without escape sequences; other control characters become a mark, except line ends and tabs."""
    if text.isprintable():
        return text
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    return "".join(char if char.isprintable() or char in "\n\t" else _shown(char) for char in text)


def _shown(char: str) -> str:
    return " " if char.isspace() and not char.isascii() else "\N{REPLACEMENT CHARACTER}"


def show_any_letter() -> None:
    """Makes standard output and error show a letter that their encoding lacks, such as a Greek one in ISO-8859-1, by
    its number: \\u03b1.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def argument(path: Path) -> str:
    """A path as an argument of a command. A name that begins with - would be read as an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def quoted(path: Path) -> str:
    """A path as people type it in a shell."""
    return shlex.quote(argument(path))


def broken(text: str, width: int) -> str:
    """The text in lines of at most `width` columns. Words, commands between backticks, and paths with blanks stay whole
    even if they are longer: the terminal itself breaks these, so that a copy of them has no line end.
    """
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", "\0"), text)  # `visible` leaves no NUL in a text
    lines = [_LINES(_with_whole_paths(line), width) or [""] for line in whole.split("\n")]
    return "\n".join("\n".join(line) for line in lines).replace("\0", " ")


def _with_whole_paths(line: str) -> str:
    """The line with a NUL for each blank within the path of a file."""
    words, found, start = line.split(" "), list[str](), 0
    while start < len(words):
        most = min(len(words), start + MOST_WORDS)
        end = next((end for end in range(most, start + 1, -1) if _is_path(" ".join(words[start:end]))), start + 1)
        found.append("\0".join(words[start:end]))
        start = end
    return " ".join(found)


def _is_path(text: str) -> bool:
    """Whether these words are the path of a file, or of one in a folder that is there."""
    path = text.lstrip(_BEFORE).rstrip(_BEHIND)
    folder, name = os.path.split(path)
    return bool(name) and (os.path.lexists(path) or (" " in folder and " " not in name and os.path.isdir(folder)))
