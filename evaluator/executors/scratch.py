"""Limits the scratch space of one point, so that it leaves room for the others."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from evaluator.chain import Status
from evaluator.errors import EvaluatorLost
from evaluator.leftovers import descendants

LARGEST_FOLDER = 2**30
"""The most bytes that one point may have on the scratch disk; less if the disk is small."""

SMALLEST_FOLDER = 2**24
"""Bytes that a point may always have, however small the disk is."""

LITTLE = 2**28
"""The evaluator warns at its start if a point may have less than this number of bytes. Few codes write as much."""

MOST_ENTRIES = 100_000
"""The largest number of files that a point may have in its folder."""

SHARE = 0.02
"""The largest fraction of the time that is spent on measuring kept files, of which there may be many."""


class ScratchLimit:
    """The limit of a point, where `count` run at once in folders below `root`.

    Half of the free space is divided among them. `is_small`: the disk sets the limit, and not
    LARGEST_FOLDER; then a point that passes it is not to blame, and is KILLED.
    """

    def __init__(self, root: Path, count: int) -> None:
        self._root, self._count = root, count
        free = self.free()
        share = max(SMALLEST_FOLDER, free // (2 * count)) if free is not None else LARGEST_FOLDER
        self.is_small = share < LARGEST_FOLDER
        self.most = min(LARGEST_FOLDER, share)
        self._device = os.stat(root).st_dev

    def free(self) -> int | None:
        """The free bytes on the disk. None if the file system does not say, as one in memory without a limit.

        Raises EvaluatorLost if the folder is gone, because no point can run then.
        """
        try:
            found = os.statvfs(self._root)
        except FileNotFoundError:
            raise EvaluatorLost(
                f"{self._root}, the folder of its scratch files, was removed while this evaluator served; what cleans "
                "up there (a job of the system?) should leave lodescan-* alone, or set TMPDIR to another folder"
            ) from None
        return found.f_bavail * found.f_frsize if found.f_blocks else None

    @property
    def notice(self) -> str:
        """The message for the start of the evaluator; empty if the disk is large enough."""
        if self.most >= LITTLE:
            return ""
        return f"there is little room for scratch files in {self._root.parent}: {self._advice}"

    @property
    def _advice(self) -> str:
        return (
            f"of {self._count} points at once each may have {self.most >> 20} MiB; set TMPDIR to a folder on a larger "
            "disk, or run fewer workers"
        )

    def passed_by(self, folders: Iterable[str], worker: int, free_before: int | None, kept: int = 0) -> bool:
        """Whether the points in these folders, which one worker process runs, take more room than they may.

        `kept`: bytes there that earlier points have left. Removed files that are still open count too. Searching takes
        milliseconds, so it is done only when the disk has lost more room since `free_before` than one point may have.
        """
        most = self.most + kept
        if sum(used_by(folder, most) for folder in folders) > most:
            return True
        free = self.free()
        if free is None or free_before is None or free_before - free <= self.most:
            return False
        return sum(used_by(folder, most) for folder in folders) + self._removed_but_open(worker) > most

    def _removed_but_open(self, worker: int) -> int:
        sizes: dict[int, int] = {}
        for pid in [worker, *descendants(worker)]:
            for status in _open_files(pid):
                if stat.S_ISREG(status.st_mode) and status.st_nlink == 0 and status.st_dev == self._device:
                    sizes[status.st_ino] = status.st_blocks * 512
        return sum(sizes.values())

    def verdict(self) -> tuple[Status, str]:
        """The status and the message of a point that has passed the limit."""
        message = f"wrote more than {self.most >> 20} MiB of scratch files and was ended"
        return (Status.KILLED, f"{message}: {self._advice}") if self.is_small else (Status.FAILED, message)


class Kept:
    """What is in a worker's folder for temporary files when a point begins, and so is not the point's."""

    def __init__(self) -> None:
        self.bytes = 0
        self._folder, self._next = "", 0.0

    def measure(self, folder: str) -> None:
        """Sets `bytes`; only now and then if it takes long, because there are many files."""
        if folder == self._folder and time.perf_counter() < self._next:
            return
        begin = time.thread_time()  # the time for which a busy machine lets this thread wait would not come again
        self._folder, self.bytes = folder, used_by(folder, sys.maxsize)
        self._next = time.perf_counter() + (time.thread_time() - begin) / SHARE


def used_by(folder: str, most: int) -> int:
    """Bytes on the disk that the files below a folder take; a file with several names counts once.

    The count stops above `most`.
    """
    total, entries, folders = 0, 0, [folder]
    linked: set[int] = set()
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                for entry in found:
                    entries += 1
                    status = entry.stat(follow_symlinks=False)
                    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                        if status.st_ino in linked:
                            continue
                        linked.add(status.st_ino)
                    total += status.st_blocks * 512
                    if entries > MOST_ENTRIES:
                        return most + 1
                    if total > most:
                        return total
                    if stat.S_ISDIR(status.st_mode):
                        folders.append(entry.path)
        except OSError:  # the folder was just removed, or never made
            continue
    return total


def _open_files(pid: int) -> Iterator[os.stat_result]:
    try:
        descriptors = list(os.scandir(f"/proc/{pid}/fd"))
    except OSError:  # the process has ended, or belongs to another user
        return
    for descriptor in descriptors:
        try:
            yield descriptor.stat()
        except OSError:
            continue
