"""Watches the files that decide the results, which must not change while an evaluator serves."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from evaluator.codes.sources import FileHash, Stamp, file_hash, stamp_of
from evaluator.errors import ConfigurationError, PhysicsChanged

log = logging.getLogger(__name__)

SHARE = 0.05
"""The largest fraction of the time for looking at the files; a package may have thousands."""


_WRITTEN = (
    "note: %s was written while the first point ran, so it is not watched. If a code reads it for its results, "
    "start again with what it shall read. If not, give it the suffix .log, or let the code write elsewhere: the digest "
    "has it as it was before, and a run goes on with that one alone"
)


class Watch:
    """The watched files among the sources of some codes.

    A file that the code itself writes (see FileHash) is found at the first point and no longer watched.
    """

    def __init__(self, sources: Iterable[Mapping[str, str]]) -> None:
        files = [source for found in sources for source in found.values() if isinstance(source, FileHash)]
        # names and not paths, which take longer to look at
        self._files: dict[str, tuple[Stamp, str]] = {str(file.path): (file.stamp, str(file)) for file in files}
        self._may_be_written = {str(file.path) for file in files if file.writable}
        self._begun = False
        self._next = 0.0
        self._lock = threading.Lock()

    @property
    def files(self) -> list[Path]:
        """The watched files."""
        return [Path(name) for name in self._files]

    def begin(self) -> None:
        """Call this before each point. The first call looks for changes, as `look` does, because the codes may write
        their own files from then on.
        """
        if not self._begun:
            self.look()
            self._begun = True

    def look(self, *, after_point: bool = False) -> None:
        """Raises PhysicsChanged if a file has changed, and OSError if that cannot be found out. Takes a few
        microseconds.
        """
        start = time.perf_counter()
        if after_point and self._may_be_written:
            self._leave_out_what_was_written()
        if start < self._next:
            return
        for name, (stamp, _) in list(self._files.items()):
            if _stamp(name) != stamp:
                self._compare(name)
        end = time.perf_counter()
        self._next = end + (end - start) / SHARE if len(self._files) > 20 else 0.0

    def compare(self) -> None:
        """Does the same as `look`, but compares the contents of all files."""
        for name in list(self._files):
            self._compare(name)

    def _leave_out_what_was_written(self) -> None:
        with self._lock:
            for name in self._may_be_written:
                stamp, content = self._files[name]
                if _stamp(name) != stamp and _content(name) != content:
                    del self._files[name]
                    log.warning(_WRITTEN, name)
            self._may_be_written = set()

    def _compare(self, name: str) -> None:
        with self._lock:
            if name not in self._files or (self._begun and name in self._may_be_written):  # the first point tells
                return
            try:
                now = file_hash(Path(name))
            except FileNotFoundError:
                raise _changed(name, "is gone") from None
            except ConfigurationError:
                raise _changed(name, "is not a file any more") from None
            if str(now) != self._files[name][1]:
                raise _changed(name, "was changed")
            self._files[name] = (now.stamp, str(now))


def _content(name: str) -> str:
    """The hash of a file; empty where the file is gone."""
    try:
        return file_hash(Path(name))
    except (FileNotFoundError, ConfigurationError):
        return ""


def _stamp(name: str) -> Stamp | None:
    try:
        return stamp_of(os.stat(name))
    except FileNotFoundError:
        return None


def _changed(name: str, what: str) -> PhysicsChanged:
    return PhysicsChanged(
        f"{name} {what} while this evaluator served; points would get other answers than before, so it ends here. "
        "Put the file back and start the evaluator again to go on with this run, or begin a new run with what is new. "
        "If the program itself writes this file, remove it, or let the program write another name"
    )
