"""The folder of a worker for temporary files: those that a point leaves there go with the point."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile

NAMES = ("TMPDIR", "TEMP", "TMP")
"""The environment variables that name it, to Python and to programs."""


def use(folder: str) -> None:
    """Makes this process, and all that it starts, put its temporary files into a folder, which is made."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    os.environ.update(dict.fromkeys(NAMES, folder))
    tempfile.tempdir = folder


class TemporaryFiles:
    """The temporary files of a process.

    Files that are there before the first point stay. If a function runs in this process, files of the points up to the
    first OK one stay too: a library may make them once, when it is used for the first time.
    """

    def __init__(self, folder: str) -> None:
        self._folder, self._kept, self._changed = folder, set[str](), -1
        self._complete = False  # what is kept
        use(folder)

    def loaded(self, *, functions: bool) -> None:
        """Called before the first point; `functions`: whether one runs in this process."""
        self._kept, self._complete = set(os.listdir(self._folder)), not functions

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
        left = set(os.listdir(self._folder))
        if not self._complete:
            self._kept, self._complete = left, ok
        for name in left - self._kept:
            path = os.path.join(self._folder, name)
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.unlink(path)  # a file, or a link
        self._changed = os.stat(self._folder).st_mtime_ns
