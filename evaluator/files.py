"""The files of a point: written anew, counted, and whether there is room for them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when a disk is full."""


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
