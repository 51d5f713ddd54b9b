"""Reads datasets of format 3, which have no probabilities; the oldest have no times either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proposer.run import schema
from proposer.run.checksums import Damaged, text_crc
from proposer.run.columns import Columns, Quantity
from proposer.run.points import Row, completed, read_rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

FORMAT = 3


def convert(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Copies a dataset of format 3 into a new file, within a transaction, and checks each row.

    Raises Damaged, also if a row is missing, and TooManyColumns.
    """
    before = old.execute("SELECT * FROM columns ORDER BY position").fetchall()
    columns = _columns(before)
    positions = _positions(before, columns)
    lacking = [name for name, position in zip(columns.names, positions, strict=True) if position is None]
    if "probability" not in lacking:
        raise Damaged("it has the columns of a later format")
    if [row[1] for row in old.execute("PRAGMA table_info(points)")] != [row[1] for row in before]:
        raise Damaged("the table `points` is not as it was made")
    schema.create(new, columns)
    meta = schema.read_meta(old)
    # its description of the scan file differs from today's, so the copy of the file is read instead
    if "asked_at" in lacking:
        meta.pop("meaning", None)
        meta.pop("given", None)
    schema.write_meta(new, meta)
    insert = f"INSERT INTO points VALUES ({', '.join('?' * len(columns.names))})"  # noqa: S608 - question marks
    last = newest = 0
    for *numbers, blob, crc in old.execute("SELECT * FROM batches ORDER BY number"):
        u = schema.read_u((*numbers, blob, crc), len(columns.variables))
        number, iteration, first, count, dropped, known = numbers
        ids = list(range(last + 1, last + 1 + count))
        rows = old.execute("SELECT * FROM points WHERE id > ? ORDER BY id LIMIT ?", (last, count)).fetchall()
        if (number, first) != (newest + 1, last + 1) or [row[0] for row in rows] != ids:
            raise Damaged(f"not every row of batch {newest + 1} is there")
        wide: list[Row] = [tuple(None if position is None else row[position] for position in positions) for row in rows]
        filled = completed(wide, columns, lacking)
        read_rows(filled, columns, u)
        schema.write_batch(new, (number, iteration, first, count, dropped, known), u)
        new.executemany(insert, filled)
        last, newest = last + count, number
    checkpoint = schema.read_checkpoint(old)
    if checkpoint is not None:
        schema.write_checkpoint(new, *checkpoint)
    if old.execute("SELECT ifnull(max(id), 0) FROM points").fetchone()[0] != last or (checkpoint or (0,))[0] != newest:
        raise Damaged("not every row is there")


def _columns(rows: Sequence[tuple[Any, ...]]) -> Columns:
    """Today's columns for those in the old table `columns`."""
    kinds: dict[str, list[Quantity]] = {"variable": [], "observable": [], "seconds": []}
    for position, *words, crc in rows:
        if text_crc(str(position), *map(str, words)) != crc:
            raise Damaged("the table `columns` is not as it was written")
        _, kind, name, unit, code, likelihood, _ = words
        if kind in kinds:
            kinds[kind].append(Quantity(name, unit, code if kind == "observable" else "", likelihood))
    return Columns(kinds["variable"], kinds["observable"], kinds["seconds"])


def _positions(rows: Sequence[tuple[Any, ...]], columns: Columns) -> list[int | None]:
    """The position of each column in the old table; None if it is not there. Numbers behind names may differ, because
    new columns may have taken a name.
    """
    before = {(kind, quantity or name): position for position, name, kind, quantity, *_ in rows}
    return [before.get((kind, quantity or name)) for _, name, kind, quantity, *_ in columns.table()]
