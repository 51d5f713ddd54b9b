"""Files that a user names: regular ones, of a bounded size, as text."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LARGEST_TEXT = 16 << 20
"""The most bytes of a template."""


def read_bytes(path: Path, most: int = LARGEST_TEXT) -> bytes:
    """The content of a regular file; raises OSError for any other, which might never end, and for a larger one."""
    with open(path, "rb", opener=open_regular) as file:  # Path.open takes no opener
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(None, f"it is larger than {most >> 20} MiB")
    return content


def read_text(path: Path, most: int = LARGEST_TEXT, errors: str = "strict") -> str:
    """The text of a regular file in UTF-8, with or without a byte order mark; raises OSError and UnicodeDecodeError.

    `errors`: what becomes of other bytes, as `bytes.decode` has it.
    """
    text = read_bytes(path, most).decode("utf-8-sig", errors=errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def open_regular(path: str, flags: int) -> int:
    """An `opener` for open() that never waits for a writer; raises OSError for what is no regular file."""
    number = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(number).st_mode
    if not stat.S_ISREG(mode):
        os.close(number)
        raise OSError(None, "it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")
    return number
