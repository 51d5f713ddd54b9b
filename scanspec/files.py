"""Reads files of other programs safely: only regular files, of a bounded size, without waiting for a writer."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LARGEST_TEXT = 16 << 20
"""The most bytes of a template."""


class NotAFile(OSError):
    """A folder, a pipe, a device, or a file that is too large; `strerror` says which."""


def read_bytes(path: str | Path, most: int = LARGEST_TEXT) -> bytes:
    """The content of a regular file; links are followed.

    Raises OSError, and in particular NotAFile for files that are too large or not regular (these may never end or
    answer).
    """
    with open(path, "rb", opener=open_regular) as file:  # Path.open takes no opener
        content = file.read(most + 1)
    if len(content) > most:
        raise NotAFile(None, f"it is larger than {most >> 20} MiB", str(path))
    return content


def read_start(path: Path, size: int) -> bytes:
    """The first `size` bytes of a regular file. Raises OSError, and NotAFile for other files."""
    with open(path, "rb", opener=open_regular) as file:
        return file.read(size)


def read_text(path: Path, most: int = LARGEST_TEXT, errors: str = "strict") -> str:
    """The text of a regular file in UTF-8, with or without a byte order mark; raises OSError and UnicodeDecodeError.

    `errors` is that of `bytes.decode`. Line ends become \n.
    """
    text = read_bytes(path, most).decode("utf-8-sig", errors=errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def open_regular(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """An `opener` for open() that never waits for a writer; raises NotAFile for what is not a regular file."""
    number = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        require_regular(path, os.fstat(number).st_mode)
    except NotAFile:
        os.close(number)
        raise
    return number


def require_regular(path: str | Path, mode: int) -> None:
    """Raises NotAFile if `mode` is not that of a regular file."""
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a folder", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    if not stat.S_ISREG(mode):
        raise NotAFile(None, f"it is {kinds.get(stat.S_IFMT(mode), 'a socket')}, not a file", str(path))
