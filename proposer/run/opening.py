"""Opens the file of a dataset, whatever state a kill or another version has left it in."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from proposer.run import format2, format3, schema
from proposer.run.checksums import Damaged
from proposer.run.columns import TooManyColumns
from proposer.run.files import START, DatasetError, NoRoom, check_no_link
from proposer.run.folder import FolderInUse, FolderLock, journal_mode
from scanspec import LodescanError
from scanspec.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONVERSIONS = {room.FORMAT: room.convert for room in (format2, format3)}
"""The functions that copy a dataset of an older format into a new file, by format."""

_ALONE = "ro&immutable=1"
"""Reads a database without files beside it, which somebody who may not write there, or has no room, cannot make."""

MOST_NAMED = 3
"""The most runs that are named for the folder that holds them."""

_OWN_FILE = "replace it by the file to which it leads; if that does not belong to this run, remove the link"

BROKEN = "take it from a copy, or start anew in another folder (init_csv in setup takes points over)"


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turns errors of SQLite and Damaged into DatasetError, with the name of the file and what to do."""
    try:
        yield
    except Damaged as error:
        raise DatasetError(f"{path}: is damaged: {error}", next_step=BROKEN) from error
    except (UnicodeDecodeError, OverflowError, MemoryError) as error:  # raised by sqlite3 for a wrong value
        raise DatasetError(f"{path}: is damaged: a value is not as it was written", next_step=BROKEN) from error
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # Python's error for an invalid text
            raise DatasetError(f"{path}: is damaged: a value is not as it was written", next_step=BROKEN) from error
        if code == sqlite3.SQLITE_ERROR and "no such" in str(error):
            raise DatasetError(f"{path}: is damaged: {error}", next_step=BROKEN) from error
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise DatasetError(
                f"{path}: another program holds it ({error})",
                next_step="close what reads it there, then start again: all stored results are kept",
            ) from error
        kind = NoRoom if code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) else DatasetError
        raise kind(
            f"{path}: {error}",
            next_step="check the disk (space, rights), then start again: all stored results are kept",
        ) from error
    except sqlite3.Error as error:
        raise DatasetError(f"{path}: {error}", next_step=BROKEN) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Like `named`, for code that reads rows: a value of the wrong type is damage, too."""
    with named(path):
        try:
            yield
        except (LodescanError, Damaged):
            raise
        except (ValueError, TypeError, IndexError) as error:
            raise Damaged("a value is not as it was written") from error


def open_writable(path: Path) -> tuple[sqlite3.Connection, bool]:
    """Opens the file for writing, and makes it if needed; the caller holds the folder. Also returns whether it has a
    WAL.

    An incomplete commit is rolled back, and an older format is converted.
    """
    _check_kind(path)
    with named(path):
        db = _connect(path, "rwc")
        try:
            if (found := _format(path, db)) in CONVERSIONS:
                _convert_file(path, db, found)
                db = _connect(path, "rw")
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise Damaged("SQLite finds its pages in disorder")
            mode = db.execute(f"PRAGMA journal_mode = {journal_mode(path.parent)}").fetchone()[0]
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA secure_delete = OFF")  # some builds of SQLite overwrite every old checkpoint
            db.execute("PRAGMA journal_size_limit = 67108864")
        except BaseException:
            db.close()
            raise
    return db, mode == "wal"


def open_readable(path: Path) -> sqlite3.Connection:
    """Opens the file for reading, even while another process writes into it."""
    if not path.exists():
        raise DatasetError(
            f"{path}: there is no such file, so this is not the folder of a run",
            next_step=_runs_below(path) or START,
        )
    _check_kind(path)
    with named(path):
        db = _read_only(path)
        try:
            try:
                found = _format(path, db)
            except sqlite3.OperationalError as error:
                db.close()
                if _journal(path).exists():
                    _roll_back(path)
                    db = _read_only(path)
                elif _has_no_room(error) and not wal_has_pages(path):
                    db = _connect(path, _ALONE)
                elif not os.access(path.parent, os.W_OK):
                    raise DatasetError(
                        f"{path}: the last results are in {_wal(path).name}, which can only be read in a folder where "
                        "files can be made",
                        next_step=f"copy the folder, and use the copy: cp -r {quoted(path.parent)} COPY",
                    ) from error
                else:
                    raise
                found = _format(path, db)
            if found in CONVERSIONS:
                with closing(db):
                    new = sqlite3.connect(":memory:", isolation_level=None)
                    _convert(path, found, db, new)
                db = new
        except BaseException:
            db.close()
            raise
    return db


def _runs_below(path: Path) -> str:
    """What to do with a folder that is not the folder of a run, but has such folders in it; empty if it has none."""
    folders = sorted(found.parent for found in path.parent.glob(f"*/{path.name}"))[:MOST_NAMED]
    return f"name one of the runs in it, such as {', '.join(map(quoted, folders))}" if folders else ""


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)


def _read_only(path: Path) -> sqlite3.Connection:
    beside = (_wal(path), _journal(path))
    if not os.access(path.parent, os.W_OK) and not any(file.exists() for file in beside):
        return _connect(path, _ALONE)
    return _connect(path, "ro")


def _has_no_room(error: sqlite3.OperationalError) -> bool:
    """Whether SQLite could not make its files beside the database: it needs them even to read."""
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return kind in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def wal_has_pages(path: Path) -> bool:
    """Whether something was committed that only the WAL holds."""
    try:
        return _wal(path).stat().st_size > 0
    except FileNotFoundError:  # perhaps just now: the last program that closes the file removes it
        return False


def _check_kind(path: Path) -> None:
    """Refuses a link in place of the file or of SQLite's files beside it: a scan would write outside of its folder."""
    for file in (path, _wal(path), _index(path), _journal(path)):
        check_no_link(file, next_step=_OWN_FILE)
        with suppress(FileNotFoundError):  # the last program that closes the dataset removes the files beside it
            if not stat.S_ISREG(file.stat().st_mode):
                raise DatasetError(f"{file}: is not a file", next_step="remove it")


def _format(path: Path, db: sqlite3.Connection) -> int:
    """The format of the dataset; 0 for a run that has not started. Raises DatasetError if this lodescan
    cannot read it.
    """
    # one statement, so that a scan that starts just now cannot come between two
    found, tables = db.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if found == 0 and tables:
        raise DatasetError(f"{path}: is a database of another program", next_step="choose another folder")
    if found not in (0, *CONVERSIONS, schema.FORMAT) or (found and not tables):
        older = " and ".join(map(str, CONVERSIONS))
        raise DatasetError(
            f"{path}: has format {found}, but this lodescan reads {schema.FORMAT} (and converts {older})",
            next_step="go on with the lodescan that started the run",
        )
    return int(found)


def _convert(path: Path, number: int, old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Copies the content of the file `path`, of an older format, into a new database, in one transaction."""
    if old.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise Damaged("SQLite finds its pages in disorder")
    old.execute("BEGIN")  # reads one consistent state, even if another process writes
    new.execute("BEGIN IMMEDIATE")
    try:
        CONVERSIONS[number](old, new)
    except TooManyColumns as error:
        raise DatasetError(f"{path}: {error}", next_step="go on with the lodescan that started the run") from None
    new.execute("COMMIT")
    old.execute("COMMIT")


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _index(path: Path) -> Path:
    return path.with_name(f"{path.name}-shm")


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


def _roll_back(path: Path) -> None:
    """Undoes a commit that a kill has cut off, unless another process uses the file. SQLite needs a writer for this."""
    try:
        lock = FolderLock(path.parent)
    except FolderInUse:
        return  # the process that holds the folder has done it
    except DatasetError as error:
        raise DatasetError(
            f"{path}: a kill cut off a commit, which can only be undone by somebody who may write there ({error})",
            next_step="the scan's own command does it",
        ) from error
    try:
        with closing(_connect(path, "rw")) as db:
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        lock.release()


def _convert_file(path: Path, old: sqlite3.Connection, number: int) -> None:
    """Replaces a file of an older format by one of the present format, atomically, and closes the old connection."""
    new_path = path.with_name(f"{path.name}.new")
    for leftover in (new_path, _journal(new_path)):
        leftover.unlink(missing_ok=True)
    with closing(old):
        with closing(_connect(new_path, "rwc")) as new:
            new.execute("PRAGMA synchronous = FULL")
            _convert(path, number, old, new)
        old.execute("PRAGMA journal_mode = DELETE")  # a remaining WAL would be taken for that of the new file
    os.replace(new_path, path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
