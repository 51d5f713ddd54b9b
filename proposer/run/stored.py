"""Reads the points in the database of a run, and changes nothing."""

from __future__ import annotations

import math
from itertools import accumulate, compress
from typing import TYPE_CHECKING, Any

import numpy as np

from proposer.run import schema
from proposer.run.checksums import Damaged
from proposer.run.files import START, DatasetError
from proposer.run.opening import reading
from proposer.run.points import Asked, read_rows
from proposer.run.rows import Results
from proposer.target import Target
from proposer.types import Floats, Pending, Status, Told

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from proposer.run.columns import Columns

MOST_BATCHES = 256
"""The most batches that are read at a time."""

CHUNK = 2048
"""The most points that are yielded at a time."""


class Stored:
    """The points in the open database `db` of the file `path`. The database has no tables before the run's start.

    All methods raise DatasetError, whose message names the file, if it cannot be read.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path, self._db = path, db
        self._columns: Columns | None = None
        with reading(path):
            if self._select("PRAGMA user_version")[0][0]:
                self._columns = schema.read_columns(db)

    @property
    def columns(self) -> Columns:
        """The columns that the run stores for each point. Raises DatasetError before its start."""
        if self._columns is None:
            raise DatasetError(f"{self.path}: the run has not started yet", next_step=START)
        return self._columns

    def _select(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with reading(self.path):
            return self._db.execute(statement, values).fetchall()

    @property
    def points(self) -> int:
        """The number of points that were asked for, which is also the newest id."""
        return self._count("ifnull(max(id), 0) FROM points")

    @property
    def batches(self) -> int:
        """The number of batches that were asked for, which is also the number of the newest one."""
        return self._count("ifnull(max(number), 0) FROM batches")

    def count_known(self) -> int:
        """The number of points that came with their NLL from an `init_csv`, and so were never evaluated."""
        return self._count("ifnull(sum(known), 0) FROM batches")

    def count_pending(self) -> int:
        """The number of points without an answer."""
        return self._count("count(*) FROM points WHERE status IS NULL")

    def first_open_batch(self) -> int | None:
        """The number of the first batch with a point without an answer; None if every point has one."""
        return self._count("ifnull(min(batch), 0) FROM points WHERE status IS NULL") or None

    def count_warned(self, warning: str) -> int:
        """The number of points that have a warning with these words."""
        return self._count("count(*) FROM points WHERE instr(warnings, ?)", warning)

    def _count(self, what: str, *values: str) -> int:
        return 0 if self._columns is None else int(self._select(f"SELECT {what}", values)[0][0])

    def meta(self) -> dict[str, Any]:
        """All values that `start` and `set_meta` have stored; empty before the run has started."""
        with reading(self.path):
            found = {} if self._columns is None else schema.read_meta(self._db)
            if not found and self.points:
                raise Damaged("what was stored at the start of the run is missing")
        return found

    def latest_checkpoint(self) -> tuple[int, bytes] | None:
        """The number of the newest batch and its checkpoint; None before the first."""
        with reading(self.path):
            return None if self._columns is None else schema.read_checkpoint(self._db)

    def counts(self) -> dict[tuple[str, Status | None], int]:
        """The numbers of points by origin and status; the status is None for points without an answer."""
        if self._columns is None:
            return {}
        rows = self._select("SELECT origin, status, count(*) FROM points GROUP BY origin, status ORDER BY 1, 2")
        return {(origin, Status[status] if status else None): n for origin, status, n in rows}

    def counts_by_code(self) -> dict[str, dict[Status, int]]:
        """The numbers of points that ended at each code, by status."""
        found: dict[str, dict[Status, int]] = {}
        query = "SELECT failed_code, status, count(*) FROM points WHERE failed_code IS NOT NULL GROUP BY 1, 2"
        for code, status, n in self._select(query) if self._columns else ():
            found.setdefault(code, {})[Status[status]] = n
        return found

    def count_good(self, target: Target) -> int:
        """The number of OK points with an NLL in the target. Reads every NLL."""
        target = self.now(target)
        return sum(int(target.contains(nll).sum()) for nll in self.nlls())

    def good_ids(self, target: Target) -> Iterator[list[int]]:
        """The ids of OK points with an NLL in the target, by id, in parts."""
        target = self.now(target)
        if self._columns is not None:
            with reading(self.path):
                rows = self._db.execute("SELECT id, NLL FROM points WHERE NLL IS NOT NULL ORDER BY id")
                while part := rows.fetchmany(CHUNK):
                    ids, nll = zip(*part, strict=True)
                    yield np.array(ids)[target.contains(np.array(nll, dtype=np.float64))].tolist()

    def best_nll(self) -> float:
        """The lowest NLL; infinite if there is none."""
        ((best,),) = self._select("SELECT min(NLL) FROM points") if self._columns is not None else ((None,),)
        return math.inf if best is None else float(best)

    def last_answer(self) -> float | None:
        """When the newest answer to one of the last 2,000 points came, in seconds since 1970; None if unknown."""
        if self._columns is None:
            return None
        query = "SELECT max(returned_at) FROM (SELECT returned_at FROM points ORDER BY id DESC LIMIT 2000)"
        ((found,),) = self._select(query)
        return None if found is None else float(found)

    def now(self, target: Target) -> Target:
        """The target for the lowest NLL of all points answered so far. All methods of this class use it."""
        return target.at(self.best_nll()) if target.follows else target

    def nlls(self) -> Iterator[Floats]:
        """The NLLs of OK points, in parts."""
        if self._columns is not None:
            with reading(self.path):
                rows = self._db.execute("SELECT NLL FROM points WHERE NLL IS NOT NULL")
                while part := rows.fetchmany(CHUNK):
                    yield np.array(part, dtype=np.float64)[:, 0]

    def seconds(self) -> Iterator[tuple[Status, Floats]]:
        """The status and the seconds of each code, for every point for which a code ran."""
        for part in self.results():
            for status, ran in zip(part.status.tolist(), part.seconds, strict=True):
                if len(ran):
                    yield Status(status), ran

    def pending(self) -> Pending:
        """The points without an answer, by id."""
        ids, params, attempts = [np.empty(0, dtype=np.int64)], [], [np.empty(0, dtype=np.int64)]
        for batch in self._select("SELECT DISTINCT batch FROM points WHERE status IS NULL") if self._columns else ():
            ((_, found, _),) = self._batches(batch[0], batch[0])
            without = found.where(found.status == 0)
            ids.append(without.ids)
            params.append(without.params)
            attempts.append(without.attempts)
        return Pending(
            np.concatenate(ids), np.concatenate(params) if params else np.empty((0, 0)), np.concatenate(attempts)
        )

    def told(self, batch: int) -> Told:
        """The answered points of one batch, for a strategy."""
        ((_, found, _),) = self._batches(batch, batch)
        return as_told(found, found.status > 0)

    def point(self, number: int) -> Results | None:
        """One point by its id; status 0 if it has no answer. None if there is no such point."""
        if not 1 <= number <= self.points:
            return None
        with reading(self.path):
            rows = self._select("SELECT batch FROM points WHERE id = ?", (number,))
            if len(rows) != 1:
                raise Damaged(f"point {number} is missing")
        ((batch,),) = rows
        ((_, found, _),) = self._batches(batch, batch)
        return found.where(found.ids == number)

    def results(self, *, first_batch: int = 1, target: Target | None = None, chunk: int = CHUNK) -> Iterator[Results]:
        """Answered points by id, at most `chunk` at a time, so that memory stays flat.

        `target`: yields only OK points with an NLL in it.
        """
        target = None if target is None else self.now(target)
        for _, found, _ in self._batches(first_batch, chunk=chunk):
            part = found.where(found.status > 0)
            if target is not None:
                part = part.where(target.contains(part.nll))
            for start in range(0, len(part.ids), chunk):
                yield part.where(slice(start, start + chunk))

    def good_rows(
        self, target: Target, *, first_batch: int = 1, last_batch: int | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        """OK points with an NLL in the target, by id, in parts: id, iteration, origin, variables, observables, NLL;
        None where an observable is missing. Quick, because it reads no more than that: the rows were checked when
        the dataset was opened.
        """
        if self._columns is None:
            return
        target, most = self.now(target), self.batches if last_batch is None else last_batch
        with reading(self.path):
            rows = self._db.execute(self._columns.scored, (first_batch, most))
            while part := rows.fetchmany(CHUNK):
                good = target.contains(np.array([row[-1] for row in part], dtype=np.float64))
                yield part if good.all() else list(compress(part, good.tolist()))

    def _batches(
        self, first: int, last: int | None = None, chunk: int = CHUNK
    ) -> Iterator[tuple[list[int], Results, list[Asked]]]:
        """Reads successive batches, about `chunk` points at a time. Yields their numbers, their points (answered or
        not), and the unanswered points as they were asked. Raises DatasetError if a row is missing or was changed.
        """
        if self._columns is None:
            return
        with reading(self.path):
            # the checkpoint is committed together with its batch
            newest = last or self._count("ifnull(max(batch), 0) FROM checkpoint")
        while last is None or first <= last:
            with reading(self.path):
                most = MOST_BATCHES if last is None else min(last - first + 1, MOST_BATCHES)
                rows = self._select("SELECT * FROM batches WHERE number >= ? ORDER BY number LIMIT ?", (first, most))
                if not rows and first > newest:
                    return
                if [row[0] for row in rows] != list(range(first, first + len(rows))) or not rows:
                    raise Damaged(f"batch {first} is missing")
                rows = rows[: max(1, sum(total <= chunk for total in accumulate(row[3] for row in rows)))]
                u = np.concatenate([schema.read_u(row, len(self._columns.variables)) for row in rows])
                start = rows[0][2]
                points = self._select("SELECT * FROM points WHERE id BETWEEN ? AND ?", (start, start + len(u) - 1))
                if [row[0] for row in points] != list(range(start, start + len(u))):
                    raise Damaged(f"points of batch {first} are missing")
                found, asked = read_rows(points, self._columns, u)
            yield [row[0] for row in rows], found, asked
            first += len(rows)


def as_told(found: Results, wanted: NDArray[np.bool_]) -> Told:
    """The points where `wanted`, shape (n,), is true, for a strategy."""
    part = found.where(wanted)
    return Told(
        part.ids,
        part.u,
        status=part.status,
        nll=part.nll,
        observables=part.observables,
        origins=part.origins,
        batches=part.batches,
    )
