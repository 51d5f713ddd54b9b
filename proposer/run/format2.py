"""Reads datasets of format 2, which have many points in one row, as arrays of little-endian numbers."""

from __future__ import annotations

import json
import sqlite3
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from proposer.run import schema
from proposer.run.checksums import Damaged
from proposer.run.columns import Columns, TooManyColumns
from proposer.run.points import Asked, answer_rows, ask_rows
from proposer.types import Outcome, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 2

_BATCHES = """SELECT number, iteration, first_id, points, dropped, known, origins, place
    FROM batches JOIN places ON batch = number ORDER BY number"""
_RESULTS = "SELECT ids, status, nll, widths, numbers, remarks FROM results WHERE ? IS NULL OR batch = ?"


def convert(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Copies a dataset of format 2 into a new file, within a transaction. It writes nothing if the run has not started.

    Raises Damaged and TooManyColumns.
    """
    try:
        _convert(old, new)
    except TooManyColumns:
        raise
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, struct.error) as error:
        raise Damaged(f"a row of format 2 cannot be read ({error})") from error


def _convert(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    meta = {key: json.loads(value) for key, value in old.execute("SELECT key, value FROM meta")}
    if "variables" not in meta:
        if meta or old.execute("SELECT count(*) FROM batches").fetchone()[0]:
            raise Damaged("what the run was made with is missing")
        return
    codes = list(meta.get("codes", []))
    ran = max((len(outcome.seconds) for outcome in _outcomes(old, None)), default=0)
    codes += [f"code {number}" for number in range(len(codes) + 1, ran + 1)]
    columns = Columns.named(meta["variables"], meta["observables"], codes)
    attempts = dict(old.execute("SELECT id, attempts FROM attempts"))
    schema.create(new, columns)
    schema.write_meta(new, meta)
    for *numbers, origins, blob in old.execute(_BATCHES):
        number, iteration, first, points = numbers[:4]
        rows_of_batch = np.frombuffer(blob, "<f8").reshape(points, 2, len(columns.variables))
        schema.write_batch(new, tuple(numbers), rows_of_batch[:, 0])
        rows, asked = ask_rows(first, number, iteration, json.loads(origins), rows_of_batch[:, 1])
        new.executemany(columns.ask, rows)
        asked = [Asked.of(point.batch, point.crc, attempts.get(first + k, 0)) for k, point in enumerate(asked)]
        tried = [(point.attempts, point.row_crc, first + k) for k, point in enumerate(asked) if point.attempts]
        new.executemany("UPDATE points SET attempts = ?, crc = ? WHERE id = ?", tried)
        outcomes = list(_outcomes(old, number))
        of_each = [asked[outcome.id - first] for outcome in outcomes]
        new.executemany(columns.answer, answer_rows(outcomes, of_each, columns))
    for number, data in old.execute("SELECT batch, data FROM checkpoint"):
        schema.write_checkpoint(new, number, data)
    left = old.execute("SELECT ifnull(sum(unanswered), 0) FROM batches").fetchone()
    if new.execute("SELECT count(*) FROM points WHERE status IS NULL").fetchone() != left:
        raise Damaged("not every answer of format 2 is there")


def _outcomes(old: sqlite3.Connection, batch: int | None) -> Iterator[Outcome]:
    """The answers of one batch, or of all."""
    for ids, status, nll, widths, content, remarks in old.execute(_RESULTS, (batch, batch)):
        words: dict[str, dict[str, Any]] = json.loads(remarks) if remarks else {}
        numbers, start = np.frombuffer(content, "<f8").tolist(), 0
        of_each = zip(
            np.frombuffer(ids, "<i8").tolist(),
            status,
            np.frombuffer(nll, "<f8").tolist(),
            np.frombuffer(widths, "<u4").reshape(-1, 3).tolist(),
            strict=True,
        )
        for at, (point, code, score, (n, m, k)) in enumerate(of_each):
            found, lost, ran = start + n, start + n + m, start + n + m + k
            of_point = words.get(str(at), {})
            yield Outcome(
                id=point,
                status=Status(code),
                nll=score,
                observables=numbers[start:found],
                losses=numbers[found:lost],
                seconds=numbers[lost:ran],
                failed_code=of_point.get("failed_code", ""),
                message=of_point.get("message", ""),
                warnings=of_point.get("warnings", ()),
                missing=of_point.get("missing", ()),
            )
            start = ran
