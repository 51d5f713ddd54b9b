"""The folder of a worker for temporary files. Files that a point leaves there are removed with the point."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable
from time import time_ns  # by name, because a point may replace functions of `time`

from evaluator.executors.scratch import used_by
from evaluator.files import remove_tree

NAMES = ("TMPDIR", "TEMP", "TMP")
"""The environment variables that name it, to Python and to programs."""

LEFT_ALONE = "LODESCAN_TEMPORARY"
"""The environment variable that lists which of NAMES the scan file sets."""

MOST_BYTES, MOST_NAMES = 64 * 2**20, 1000
"""The largest size in bytes, and number of names, of the files that are kept from points before the first OK point.
Beyond these limits, files of later points are removed.
"""

SURE = 20_000_000
"""Nanoseconds after which each change of a folder gives it another time; on many systems that is the clock's tick."""


def leave_alone(variables: Iterable[str]) -> None:
    """Notes that the scan file sets these variables, for `use` in all processes that are started from here."""
    os.environ[LEFT_ALONE] = " ".join({*NAMES}.intersection(variables))


def use(folder: str) -> None:
    """Makes this process, and all that it starts, put its temporary files into a folder, which is made. Variables that
    the scan file sets stay.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    left_alone = os.environ.get(LEFT_ALONE, "").split()
    os.environ.update(dict.fromkeys([name for name in NAMES if name not in left_alone], folder))
    if NAMES[0] not in left_alone:  # Python asks for it first
        tempfile.tempdir = folder


class TemporaryFiles:
    """The temporary files of a process.

    Files that are there before the first point stay. If a function runs in this process, files of the points up to the
    first OK one stay too: a library may make them once, when it is used for the first time. Beyond MOST_BYTES or
    MOST_NAMES, files of later points are removed.
    """

    def __init__(self, folder: str) -> None:
        self._folder, self._kept, self._changed = folder, set[str](), -1
        self._most_bytes = self._most_names = 0
        self._complete = False  # whether the set of kept names is final
        use(folder)

    def loaded(self, *, functions: bool) -> None:
        """Call this before the first point. `functions`: whether a function runs in this process."""
        self._kept, self._complete = set(os.listdir(self._folder)), not functions
        self._most_names = len(self._kept) + MOST_NAMES
        self._most_bytes = used_by(self._folder, sys.maxsize) + MOST_BYTES

    def clear(self, *, ok: bool) -> None:
        """Removes the files that a point has left; `ok`: whether the point was OK. Takes a microsecond if nothing has
        changed.
        """
        try:
            changed = os.stat(self._folder).st_mtime_ns
        except FileNotFoundError:  # the point has removed the folder itself
            use(self._folder)
            return
        if changed == self._changed and self._complete:
            return
        self._changed = changed if time_ns() - changed > SURE else -1
        left = set(os.listdir(self._folder))
        if not self._complete:
            self._kept, self._complete = left, ok or self._is_much(left)
        for name in left - self._kept:
            path = os.path.join(self._folder, name)
            remove_tree(path)
            with contextlib.suppress(OSError):
                os.unlink(path)  # a file, or a link

    def _is_much(self, left: set[str]) -> bool:
        return len(left) >= self._most_names or used_by(self._folder, self._most_bytes) >= self._most_bytes
