"""The files of a point: written anew, counted, and whether there is room for them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the system says when a disk is full."""

MOST_ENTRIES = 100_000
"""The most files that a point may have in its folder."""


def write_new(path: Path, content: bytes) -> None:
    """Writes a file in the place of what is there: a link is replaced, not followed."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(content)


def used_by(folder: str, most: int) -> int:
    """Bytes on the disk that the files below a folder take; stops to count where it is more than `most`."""
    total, entries, folders = 0, 0, [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                for each in found:
                    entries += 1
                    total += each.stat(follow_symlinks=False).st_blocks * 512
                    if entries > MOST_ENTRIES:
                        return most + 1
                    if total > most:
                        return total
                    if each.is_dir(follow_symlinks=False):
                        folders.append(each.path)
        except OSError:  # it is gone just now, or was never made
            continue
    return total


def is_full(folder: Path) -> bool:
    """Whether there is no room on the disk of a folder."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    if found.f_blocks == 0:  # a file system in memory without a bound does not say
        return False
    return found.f_bavail * found.f_frsize < 2**20 or (found.f_files > 0 and found.f_favail == 0)
