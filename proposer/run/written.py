"""Watches the files that a scan writes its dataset into, because SQLite does not notice if somebody truncates or
removes one.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from proposer.run.files import DatasetError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_INDEX_HEADER = 136
"""The size in bytes of the header of the file `-shm`: two copies of the index's header, and the state of the checkpoint
(SQLite's walformat.html, section 2.1).
"""

_INDEX_COPY = 48
"""Bytes of one of these copies. At byte 12, whether it is in use; at 16, how many pages are in the WAL; at 32, its
salt."""

_MOST_STEPS = 1000
"""SQLite adds 1 to the salt of a WAL whenever it is emptied, which other programs may do several times between two
commits."""

_HEADER, _FRAME_HEADER = 32, 24
"""The sizes in bytes of the header of a WAL, and of the header of each page in it (fileformat2.html, section 4.1)."""


class Written:
    """Watches the file `path` and its WAL, which the connection `db` writes. `wal`: whether it has a WAL."""

    def __init__(self, path: Path, db: sqlite3.Connection, *, wal: bool) -> None:
        self._path, self._wal_path, self._db, self.wal = str(path), f"{path}-wal", db, wal
        self._frame = _FRAME_HEADER + int(db.execute("PRAGMA page_size").fetchone()[0])
        self._file = _status(self._path)
        self._wal_file: os.stat_result | None = None
        self._header = b""
        self._index = -1  # stays open: closing it would take SQLite's own lock on this file from this process

    def close(self) -> None:
        """Ends the watch. Call this only after SQLite has closed the file."""
        if self._index >= 0:
            os.close(self._index)
            self._index = -1

    def note(self) -> None:
        """Notes the state of the files after a commit. Raises DatasetError like `check`."""
        self._file, now, header = self._look(committed=True)
        if self.wal and now is not None and now.st_size > _HEADER:
            # before the first commit, SQLite has made the WAL but not written into it
            self._wal_file, self._header = now, header

    def check(self) -> None:
        """Raises DatasetError if a file was removed, replaced or truncated, after saving what can be saved."""
        self._look(committed=False)

    def _look(self, *, committed: bool) -> tuple[os.stat_result | None, os.stat_result | None, bytes]:
        """Checks both files. Returns the state of each and the header of the WAL. `committed`: the connection itself
        has just written, perhaps after the truncated end.
        """
        file = _status(self._path)
        if change := _change(self._file, file):
            self._end(self._path, change)
        before, now = self._wal_file, _status(self._wal_path) if self.wal else None
        # a kill, or SQLite's limit on its size, may leave a part of a page after the last complete one
        pages = 1 if before is None else max((before.st_size - _HEADER) // self._frame, 1)
        header, last_page = self._read_wal(_HEADER + (pages - 1) * self._frame) if self.wal else (b"", b"")
        if before is not None:
            begun_anew = committed and 0 < (_salt(header) - _salt(self._header)) % 2**32 < _MOST_STEPS
            change = _change(before, now) if not begun_anew or now is None or now.st_ino != before.st_ino else ""
            if not change and not begun_anew and (not any(header[:4]) or not any(last_page)):
                change = _CUT_OFF
            if change == _CUT_OFF and self._was_emptied(before):
                now = self._wal_file = None
            elif change:
                self._end(self._wal_path, change)
        return file, now, header

    def _end(self, file: str, change: str) -> None:
        if self.wal and change is _CUT_OFF and file == self._wal_path:
            self._forget_index()
        elif self.wal:
            # this process still has the WAL open, even if it was removed
            self._db.execute("PRAGMA wal_checkpoint(FULL)")
        raise DatasetError(
            f"{file}: was {change} while the scan worked on it, so nothing more can be stored",
            next_step="put the folder back, or give the same command again: it goes on with what is left there",
        )

    def _was_emptied(self, before: os.stat_result) -> bool:
        """Whether SQLite itself has emptied the WAL, because another program asked for a checkpoint (TRUNCATE), perhaps
        just now. The index of the WAL says so. Nothing is lost then: the content of the WAL is in the dataset.
        """
        now = _status(self._wal_path)
        if now is None or now.st_ino != before.st_ino or now.st_size:
            return False
        with suppress(OSError):
            if self._index < 0:
                self._index = os.open(f"{self._path}-shm", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            index = os.pread(self._index, 2 * _INDEX_COPY, 0)
            first, second = index[:_INDEX_COPY], index[_INDEX_COPY:]
            frames = int.from_bytes(first[16:20], sys.byteorder)
            return first == second and any(first[12:13]) and frames == 0 and first[32:36] != self._header[16:20]
        return False

    def _forget_index(self) -> None:
        """Makes SQLite read the truncated WAL anew when it closes the file; its index still has the lost pages."""
        with suppress(OSError):
            descriptor = os.open(f"{self._path}-shm", os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.pwrite(descriptor, bytes(_INDEX_HEADER), 0)
            finally:
                os.close(descriptor)

    def _read_wal(self, last_page: int) -> tuple[bytes, bytes]:
        """The header of the WAL and the first bytes of its last page; empty if the WAL is gone."""
        try:
            descriptor = os.open(self._wal_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return b"", b""
        try:
            return os.pread(descriptor, _HEADER, 0), os.pread(descriptor, 4, last_page)
        finally:
            os.close(descriptor)


def _salt(header: bytes) -> int:
    """The salt of a WAL. SQLite adds 1 to it when it starts to overwrite the WAL from its beginning."""
    return int.from_bytes(header[16:20], "big")


_GONE, _CUT_OFF = "removed or replaced", "cut off"


def _status(file: str) -> os.stat_result | None:
    try:
        return os.stat(file, follow_symlinks=False)
    except OSError:
        return None


def _change(before: os.stat_result | None, now: os.stat_result | None) -> str:
    """What somebody has done to a file; empty for nothing."""
    if before is None:
        return ""
    if now is None or now.st_ino != before.st_ino:
        return _GONE
    return _CUT_OFF if now.st_size < before.st_size else ""
