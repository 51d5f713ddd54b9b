"""Whether the files that decide the results are still those of the digest."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from evaluator.codes.sources import FileHash, Stamp, file_hash, stamp_of
from evaluator.errors import ConfigurationError, PhysicsChanged

SHARE = 0.05
"""The most of the time that looking at the files may take: a package may have thousands."""


class Watch:
    """The files among the sources of some codes."""

    def __init__(self, sources: Iterable[Mapping[str, str]]) -> None:
        self._files: dict[Path, tuple[Stamp, str]] = {
            each.path: (each.stamp, str(each))
            for found in sources
            for each in found.values()
            if isinstance(each, FileHash)
        }
        self._next = 0.0
        self._lock = threading.Lock()

    def look(self) -> None:
        """Raises PhysicsChanged when a file has changed; a few microseconds. OSError where that cannot be told."""
        start = time.perf_counter()
        if start < self._next:
            return
        for path, (stamp, _) in self._files.items():
            if _stamp(path) != stamp:
                self._compare(path)
        end = time.perf_counter()
        self._next = end + (end - start) / SHARE if len(self._files) > 20 else 0.0

    def compare(self) -> None:
        """The same by the content of every file."""
        for path in self._files:
            self._compare(path)

    def _compare(self, path: Path) -> None:
        with self._lock:
            try:
                now = file_hash(path)
            except FileNotFoundError:
                raise _changed(path, "is gone") from None
            except ConfigurationError:
                raise _changed(path, "is no file any more") from None
            if str(now) != self._files[path][1]:
                raise _changed(path, "was changed")
            self._files[path] = (now.stamp, str(now))


def _stamp(path: Path) -> Stamp | None:
    try:
        return stamp_of(os.stat(path))
    except FileNotFoundError:
        return None


def _changed(path: Path, what: str) -> PhysicsChanged:
    return PhysicsChanged(
        f"{path} {what} while this evaluator served; points would get other answers than before, so it ends here. "
        "Put the file back and start the evaluator again to go on with this run, or begin a new run with what is new. "
        "If the program itself writes this file, remove it, or let the program write another name"
    )
