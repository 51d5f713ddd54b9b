"""The tables of `dataset.sqlite`, format 4. Every row has a checksum of its content."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np

from proposer.run.checksums import Damaged, blob_crc, text_crc
from proposer.run.columns import TABLE, Columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proposer.types import Floats

FORMAT = 4

# `u` of a batch: shape (points, d), its points in the unit cube, which cannot be recomputed exactly from the variables.
# `dropped`: how many of its points had been asked for before. `known`: how many came with an NLL.
_TABLES = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID",
    "checkpoint": """CREATE TABLE checkpoint (only INTEGER PRIMARY KEY CHECK (only = 1), batch INTEGER NOT NULL,
    data BLOB NOT NULL, crc INTEGER NOT NULL)""",
    "batches": """CREATE TABLE batches (number INTEGER PRIMARY KEY, iteration INTEGER NOT NULL,
    first_id INTEGER NOT NULL, points INTEGER NOT NULL, dropped INTEGER NOT NULL, known INTEGER NOT NULL,
    u BLOB NOT NULL, crc INTEGER NOT NULL)""",
    "columns": TABLE,
}


def create(db: sqlite3.Connection, columns: Columns) -> None:
    """Creates the tables, within a transaction."""
    for statement in (*_TABLES.values(), columns.schema):
        db.execute(statement)
    rows = columns.table()
    db.executemany("INSERT INTO columns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    db.execute(f"PRAGMA user_version = {FORMAT}")


def read_columns(db: sqlite3.Connection) -> Columns:
    """The columns of a dataset. Raises Damaged if its tables are not as they were made."""
    try:
        columns = Columns.read(db.execute("SELECT * FROM columns ORDER BY position").fetchall())
    except (ValueError, TypeError) as error:
        raise Damaged(str(error)) from error
    made = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    for name, statement in (_TABLES | {"points": columns.schema}).items():
        if made.get(name) != statement:
            raise Damaged(f"the table `{name}` is not as it was made")
    return columns


_KEYS = "keys"
"""The key of the list of keys that a run has from its start. It reveals missing values, because SQLite does not notice
a page from an older state.
"""


def write_first_meta(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    """Stores the values that a run has from its start."""
    write_meta(db, {**values, _KEYS: sorted(values)})


def write_meta(db: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    """Stores values for JSON under their keys."""
    rows = [(key, json.dumps(value)) for key, value in values.items()]
    db.executemany("REPLACE INTO meta VALUES (?, ?, ?)", [(*row, text_crc(*row)) for row in rows])


def read_meta(db: sqlite3.Connection) -> dict[str, Any]:
    """All stored values. Raises Damaged if a value is missing or not as it was written."""
    found = {}
    for key, value, crc in db.execute("SELECT key, value, crc FROM meta"):
        if text_crc(str(key), str(value)) != crc:
            raise Damaged(f"the value of {key!r} is not as it was written")
        found[key] = json.loads(value)
    if missing := [key for key in found.pop(_KEYS, ()) if key not in found]:
        raise Damaged(f"the value of {missing[0]!r} is missing")
    return found


def write_checkpoint(db: sqlite3.Connection, batch: int, data: bytes) -> None:
    """Stores the strategy's state for a batch; only the newest is kept."""
    db.execute("REPLACE INTO checkpoint VALUES (1, ?, ?, ?)", (batch, data, blob_crc([batch], data)))


def read_checkpoint(db: sqlite3.Connection) -> tuple[int, bytes] | None:
    """The number of the newest batch and its checkpoint; None before the first. Raises Damaged."""
    for batch, data, crc in db.execute("SELECT batch, data, crc FROM checkpoint"):
        if not isinstance(data, bytes) or _blob_crc([batch], data) != crc:
            raise Damaged("the strategy's state is not as it was written")
        return batch, data
    return None


def write_batch(db: sqlite3.Connection, numbers: tuple[int, int, int, int, int, int], u: Floats) -> None:
    """Stores a batch: its number, iteration, first id, and its numbers of points, dropped points and known points, and
    its u.
    """
    blob = u.astype("<f8").tobytes()
    db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*numbers, blob, blob_crc(numbers, blob)))


def read_u(row: tuple[Any, ...], dim: int) -> Floats:
    """u of a row of `batches`, shape (points, dim). Raises Damaged."""
    *numbers, blob, crc = row
    if not isinstance(blob, bytes) or _blob_crc(numbers, blob) != crc or len(blob) != 8 * dim * numbers[3]:
        raise Damaged(f"batch {row[0]} is not as it was written")
    return np.frombuffer(blob, "<f8").reshape(-1, dim).astype(np.float64)


def _blob_crc(numbers: list[Any], blob: bytes) -> int | None:
    return blob_crc(numbers, blob) if all(isinstance(number, int) for number in numbers) else None
