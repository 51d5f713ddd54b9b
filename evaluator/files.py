"""Files that somebody else has written: read only where they are files, and no more than is wanted."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when a disk is full."""


class NotAFile(OSError):
    """A folder, a pipe, a device; the message says what it is."""


def read_regular(path: str | Path, most: int) -> bytes:
    """Up to `most` + 1 bytes of a file; one byte more than `most` says that it is larger.

    A link is followed: programs may link to what they have found. Raises NotAFile for what would
    not end or not answer, and OSError.
    """
    # without O_NONBLOCK the opening of a named pipe waits for a writer
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        require_regular(path, os.fstat(descriptor).st_mode)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(descriptor)


def require_regular(path: str | Path, mode: int) -> None:
    """Raises NotAFile when `mode` is not that of a file."""
    kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFDIR: "a folder", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    if not stat.S_ISREG(mode):
        raise NotAFile(f"{path} is {kinds.get(stat.S_IFMT(mode), 'a socket')}, not a file")


def write_new(path: Path, content: bytes) -> None:
    """Writes a file in the place of what is there: a link is replaced, not followed."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(content)


def is_full(folder: Path) -> bool:
    """Whether there is no room on the disk of a folder."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    if found.f_blocks == 0:  # a file system in memory without a bound does not say
        return False
    return found.f_bavail * found.f_frsize < 2**20 or (found.f_files > 0 and found.f_favail == 0)
