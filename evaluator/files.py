"""Writes files of points, and checks whether the disk has room for them."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The error numbers of a full disk."""


def write_new(path: Path, content: bytes) -> None:
    """Writes a new file. It replaces a link and does not follow it."""
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(content)


def remove_tree(folder: str | Path) -> None:
    """Removes a folder with all that is in it, as far as possible."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # folders within folders, too many for Python
        subprocess.run(["rm", "-rf", "--", folder], stderr=subprocess.DEVNULL, check=False)


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder is full."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    if found.f_blocks == 0:  # a file system in memory may have no bound
        return False
    return found.f_bavail * found.f_frsize < 2**20 or (found.f_files > 0 and found.f_favail == 0)
