"""Finds the programs that a shell script runs by their paths: a wrapper does not change when its program does."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

LARGEST_SCRIPT = 2**16
"""The most bytes of a script that are searched."""

_SHELL = re.compile(rb"#!.*\b(ba|da|z|k|a)?sh\b")
_WORD = re.compile(r"[\w./+@%-]+")
_HOME = re.compile(r"\$HOME\b|\$\{HOME\}|~(?=/)")
_WRITTEN = re.compile(r"""(?:>\|?|\btee\b(?:\s+-a)?)\s*("?(?:\$\([^)]*\))?[^\s;&|<>()]+)""")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_OF_THE_SYSTEM = tuple({f"{folder}/" for folder in ("/bin", "/sbin", "/usr", "/lib", sys.prefix, sys.base_prefix)})


def named_programs(script: Path) -> Iterator[Path]:
    """The executable files, and scripts, that a shell script names: by absolute paths, by paths from its own folder,
    and by such paths behind a variable or `$(dirname $0)`. Those of the system and of Python are left out, and those
    that the script itself writes, by `>` or `tee`.
    """
    with script.open("rb") as file:
        content = file.read(LARGEST_SCRIPT)
    if not _SHELL.match(content.partition(b"\n")[0]):
        return
    text = _HOME.sub(lambda _: os.path.expanduser("~"), _COMMENT.sub("", content.decode("utf-8", errors="replace")))
    targets = _WORD.findall(" ".join(_WRITTEN.findall(text)))
    own = {os.path.realpath(path) for path in (script, *(path for word in targets for path in _paths(word, script)))}
    for word in dict.fromkeys(_WORD.findall(text)):
        path = next(filter(_is_program, _paths(word, script)), None)
        if path is not None and os.path.realpath(path) not in own:
            yield path


def _paths(word: str, script: Path) -> list[Path]:
    """The paths that a word of a script may mean; its first part may belong to a variable."""
    if "/" not in word and "." not in word:
        return []
    return list(dict.fromkeys([script.parent / word, script.parent / (word.partition("/")[2] or word)]))


def _is_program(path: Path) -> bool:
    # unlike Path.is_file, os.path.isfile is false, not an error, for a word too long for a path or in a private folder
    if os.path.normpath(path).startswith(_OF_THE_SYSTEM) or not os.path.isfile(path) or not os.access(path, os.R_OK):
        return False
    if path.suffix == ".log":  # some file systems make every file executable
        return False
    return os.access(path, os.X_OK) or path.suffix in (".py", ".sh")
