"""Finds the user's own modules that a function imports only while a point runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from evaluator.codes.opened import file_of, is_of_the_user

MOST_NAMED = 20
"""The most files that one process names."""


class LateImports:
    """Compares the imported modules with those that were there before the first point."""

    def __init__(self, scratch: Path) -> None:
        """`scratch`: the folder of the points' files. A module there is made by a point."""
        self._scratch = f"{scratch.resolve()}/"
        self._known, self._count, self._named = set(sys.modules), len(sys.modules), 0

    def new(self) -> list[str]:
        """The files of the modules that are new since the last call, without those of Python, of installed packages and
        of a point's own folder. Takes a microsecond where nothing is new.
        """
        if len(sys.modules) == self._count:
            return []
        names = [name for name in list(sys.modules) if name not in self._known]
        self._known.update(names)
        self._count = len(sys.modules)
        files = sorted({path for name in names if (path := file_of(name)) and is_of_the_user(path)})
        found = [path for path in files if not path.startswith(self._scratch)][: MOST_NAMED - self._named]
        self._named += len(found)
        return found


class Imported(NamedTuple):
    """The files of modules that a point has imported."""

    files: list[str]


def note_on(files: Collection[str], watched: Collection[Path]) -> str:
    """What a user should do about modules that the physics digest does not cover; empty if it covers all. `watched` are
    the files that it covers.
    """
    covered = {os.path.realpath(path) for path in watched}
    files = [path for path in files if path not in covered]
    if not files:
        return ""
    what = ", ".join(files)
    return (
        f"note: {what} {'was' if len(files) == 1 else 'were'} imported only while a point ran. The physics digest does "
        "not cover that, so a change of it goes unnoticed. Import it at the top of the module, or name it as `data` of "
        "the code in the scan file"
    )
