"""The durable store of a run: every point that was asked, and what came of it.

A run's folder holds `dataset.sqlite` and, while a process works on it, a locked file
`lock`. Two rules make a run safe against being killed at any moment: a batch and the
strategy's checkpoint are committed together before a point of it is sent, and results
are committed message by message. A result that arrives twice counts once.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from proposer.keys import KeySet, row_keys
from proposer.run import schema
from proposer.run.checksums import Damaged
from proposer.run.files import REPORT, START, DatasetError
from proposer.run.folder import FolderInUse, FolderLock, check_no_foreign_files
from proposer.run.opening import named, open_readable, open_writable
from proposer.run.points import Asked, answer_rows, ask_rows, asked_of, read_rows
from proposer.run.rows import Added, Results
from proposer.target import Target
from proposer.types import Batch, Floats, Outcome, Pending, Status, Told

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from proposer.run.columns import Columns

DATASET = "dataset.sqlite"
"""The file in the folder of a run."""

MOST_BATCHES = 256
"""The most batches that are read at a time."""

CHUNK = 2048
"""The most points that are handed out at a time."""

__all__ = ["DATASET", "Added", "Dataset", "DatasetError", "FolderInUse", "Outcome", "Pending", "Results"]

_POINT = "SELECT * FROM points WHERE id = ? AND status IS NOT NULL"


class Dataset:
    """The points of one run, in the folder `folder`. For one thread at a time.

    `read_only` looks at a run, also at one that another process works on. A run has no tables before `start`.
    Raises FolderInUse while another process holds the folder, and DatasetError, whose
    message names the file, wherever the file cannot be read or written.
    """

    def __init__(self, folder: Path | str, *, read_only: bool = False) -> None:
        self.path = Path(folder) / DATASET
        self._columns: Columns | None = None
        self._seen = KeySet()
        self._unanswered: dict[int, Asked] = {}
        self._fresh: dict[int, list[int]] | None = None  # answered since `news`, by batch
        self._last = self._newest = 0  # the newest id and batch
        if not (read_only or self.path.exists()):
            check_no_foreign_files(self.path.parent)
        self._lock = None if read_only else FolderLock(self.path.parent)
        self._wal = False
        try:
            if self._lock is None:
                self._db = open_readable(self.path)
            else:
                self._db, self._wal = open_writable(self.path)
                self._inode = self.path.stat().st_ino
            try:
                with named(self.path):
                    if self._select("PRAGMA user_version")[0][0]:
                        self._columns = schema.read_columns(self._db)
                if self._lock is not None:
                    self.check()
            except BaseException:
                self._db.close()
                raise
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise

    def start(self, columns: Columns, meta: Mapping[str, Any] | None = None) -> None:
        """Begins the run of this folder: what a point has, and values for `meta`, in one transaction."""
        with self._transaction() as db:
            schema.create(db, columns)
            schema.write_meta(db, meta or {})
        self._columns = columns

    @property
    def columns(self) -> Columns:
        """What the run stores of each point. Raises DatasetError before its start."""
        if self._columns is None:
            raise DatasetError(f"{self.path}: the run has not started yet", next_step=START)
        return self._columns

    def check(self) -> None:
        """Reads every row, and raises DatasetError where one is missing or not as it was written."""
        if self._columns is None:
            return
        asked, batches = self.points, self.batches  # first: a scan that runs may ask for more meanwhile
        last = newest = 0
        for numbers, found, unanswered in self._batches(1):
            if self._lock is not None:
                self._seen.add(row_keys(found.params))
            last, newest = last + len(found.ids), numbers[-1]
            self._unanswered.update(zip(found.ids[found.status == 0].tolist(), unanswered, strict=True))
        with named(self.path):
            checkpoint = schema.read_checkpoint(self._db) or (0,)
            if last < asked or newest < batches or checkpoint[0] < batches:
                raise Damaged("not every row is there")
            schema.read_meta(self._db)
        self._last, self._newest = last, newest

    def close(self) -> None:
        """Closes the file and lets go of the folder."""
        self._db.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self, *, asks: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing, on the disk when the block ends.

        What `asks` is safe from a kill; a WAL that loses power may lose it with what follows, as if never asked.
        """
        self._check_place()
        with named(self.path):
            if lazy := asks and self._wal:
                self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                if lazy:
                    self._db.execute("PRAGMA synchronous = FULL")

    def _check_place(self) -> None:
        """What is written must be found again: SQLite goes on writing into a file that was removed."""
        if self._lock is None:
            return
        self._lock.check()
        try:
            there = os.stat(self.path, follow_symlinks=False).st_ino
        except OSError:
            there = -1
        if there != self._inode:
            raise DatasetError(
                f"{self.path}: was removed or replaced while the scan worked on it, so nothing more can be stored",
                next_step="put the folder back, or start anew in another one",
            )

    def _select(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with named(self.path):
            return self._db.execute(statement, values).fetchall()

    # Writing

    def add_batch(self, batch: Batch, params: Floats, checkpoint: bytes, known: Sequence[Outcome | None] = ()) -> Added:
        """Stores a batch and the checkpoint that belongs to it, in one transaction, before a point is sent.

        `params`: shape (n, d), the physical values of `batch.u`. Points whose values agree
        to 12 significant digits with those of a stored point, or of an earlier one in the
        batch, are left out. The others get the next ids. `known`: what is known of each
        point already (an InitCSV), None where nothing is; its id is not looked at. Only the newest checkpoint is kept.
        """
        columns = self.columns
        if params.shape != batch.u.shape or params.shape[1] != len(columns.variables):
            raise ValueError(f"params of shape {params.shape} for a batch of shape {batch.u.shape}")
        params = params + 0.0  # SQLite knows no minus zero
        keys = row_keys(params)
        kept = self._seen.first_of_each(keys)
        number, first = self._newest + 1, self._last + 1
        origins, u = batch.origins, batch.u
        if not kept.all():
            origins, u, params = [origins[k] for k in np.flatnonzero(kept).tolist()], u[kept], params[kept]
        ids = np.arange(first, first + len(u))
        rows, made = ask_rows(first, number, batch.iteration, origins, params, asked_at=time.time())
        asked = dict(zip(ids.tolist(), made, strict=True))
        given = [known[row] for row in np.flatnonzero(kept).tolist()] if known else []
        answered = [each._replace(id=point) for point, each in zip(asked, given, strict=False) if each is not None]
        with self._transaction(asks=True) as db:
            schema.write_checkpoint(db, number, checkpoint)
            dropped = len(keys) - len(u)
            schema.write_batch(db, (number, batch.iteration, first, len(u), dropped, len(answered)), u)
            db.executemany(columns.ask, rows)
            db.executemany(columns.answer, answer_rows(answered, [asked[each.id] for each in answered], columns))
        self._seen.add(keys[kept])
        self._last, self._newest = self._last + len(u), number
        self._unanswered.update(asked)
        self._note_answered(answered)
        left = np.isin(ids, [each.id for each in answered], invert=True)
        return Added(number, ids, kept, Pending(ids[left], params[left], np.zeros(left.sum(), dtype=np.int64)))

    def record(self, results: Sequence[Outcome]) -> int:
        """Stores results in one transaction; returns how many were new.

        Of two results of one point the first stays. Raises DatasetError, and stores none,
        when one is of a point that was never asked.
        """
        new: dict[int, Outcome] = {}
        for each in results:
            if each.id in self._unanswered:
                new.setdefault(each.id, each)
            elif not 1 <= each.id <= self._last:
                raise DatasetError(
                    f"{self.path}: a result came for point {each.id}, which was never asked", next_step=REPORT
                )
        asked = [self._unanswered[point] for point in new]
        with self._transaction() as db:
            db.executemany(self.columns.answer, answer_rows(list(new.values()), asked, self.columns))
        self._note_answered(new.values())
        return len(new)

    def replace(self, results: Sequence[Outcome]) -> None:
        """Puts new answers in the place of old ones, in one transaction; each of a point that has one."""
        ids = [each.id for each in results]
        with named(self.path):
            found = {row[0]: row for point in ids for row in self._select(_POINT, (point,))}
            asked = asked_of([found[point] for point in ids], self.columns) if ids else []
        with self._transaction() as db:
            db.executemany(self.columns.answer, answer_rows(results, asked, self.columns))

    def _note_answered(self, outcomes: Iterable[Outcome]) -> None:
        for each in outcomes:
            batch = self._unanswered.pop(each.id).batch
            if self._fresh is not None:
                self._fresh[batch].append(each.id)

    def add_attempt(self, ids: Sequence[int]) -> None:
        """Notes that points were killed from outside, which is no answer: they will be sent again."""
        for point in ids:
            if (asked := self._unanswered.get(point)) is not None:
                asked = asked._replace(attempts=asked.attempts + 1)
                with self._transaction() as db:
                    row = (asked.attempts, asked.row_crc, point)
                    db.execute("UPDATE points SET attempts = ?, crc = ? WHERE id = ?", row)
                self._unanswered[point] = asked

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Stores values that JSON can hold under their keys, in one transaction."""
        with self._transaction() as db:
            schema.write_meta(db, values)

    # Reading

    @property
    def points(self) -> int:
        """How many points were asked; also the newest id."""
        return self._count("ifnull(max(id), 0) FROM points")

    @property
    def batches(self) -> int:
        """How many batches were asked; also the number of the newest one."""
        return self._count("ifnull(max(number), 0) FROM batches")

    def count_known(self) -> int:
        """How many points came with their NLL from an InitCSV, so were never evaluated here."""
        return self._count("ifnull(sum(known), 0) FROM batches")

    def count_pending(self) -> int:
        """How many points have no answer."""
        return self._count("count(*) FROM points WHERE status IS NULL")

    def count_warned(self, warning: str) -> int:
        """How many points have a warning with these words."""
        return self._count("count(*) FROM points WHERE instr(warnings, ?)", warning)

    def _count(self, what: str, *values: str) -> int:
        return 0 if self._columns is None else int(self._select(f"SELECT {what}", values)[0][0])

    def meta(self) -> dict[str, Any]:
        """Everything that was stored by `start` and `set_meta`; empty before the run has started."""
        with named(self.path):
            return {} if self._columns is None else schema.read_meta(self._db)

    def latest_checkpoint(self) -> tuple[int, bytes] | None:
        """The newest batch's number and the checkpoint that was stored with it; None before the first."""
        with named(self.path):
            return None if self._columns is None else schema.read_checkpoint(self._db)

    def counts(self) -> dict[tuple[str, Status | None], int]:
        """How many points there are by origin and status; None: without an answer."""
        if self._columns is None:
            return {}
        rows = self._select("SELECT origin, status, count(*) FROM points GROUP BY origin, status ORDER BY 1, 2")
        return {(origin, Status[status] if status else None): n for origin, status, n in rows}

    def counts_by_code(self) -> dict[str, dict[Status, int]]:
        """How many points ended at each code, by status."""
        found: dict[str, dict[Status, int]] = {}
        query = "SELECT failed_code, status, count(*) FROM points WHERE failed_code IS NOT NULL GROUP BY 1, 2"
        for code, status, n in self._select(query) if self._columns else ():
            found.setdefault(code, {})[Status[status]] = n
        return found

    def count_good(self, target: Target) -> int:
        """How many OK points have an NLL in the target; reads every NLL."""
        return sum(int(target.contains(nll).sum()) for nll in self._nlls())

    def good_ids(self, target: Target) -> Iterator[list[int]]:
        """The ids of OK points with an NLL in the target, by id, in parts."""
        if self._columns is not None:
            with named(self.path):
                rows = self._db.execute("SELECT id, NLL FROM points WHERE NLL IS NOT NULL ORDER BY id")
                while part := rows.fetchmany(CHUNK):
                    ids, nll = zip(*part, strict=True)
                    yield np.array(ids)[target.contains(np.array(nll, dtype=np.float64))].tolist()

    def best_nll(self) -> float:
        """The lowest NLL; infinite where there is none."""
        return min((float(nll.min()) for nll in self._nlls()), default=math.inf)

    def _nlls(self) -> Iterator[Floats]:
        if self._columns is not None:
            with named(self.path):
                rows = self._db.execute("SELECT NLL FROM points WHERE NLL IS NOT NULL")
                while part := rows.fetchmany(CHUNK):
                    yield np.array(part, dtype=np.float64)[:, 0]

    def seconds(self) -> Iterator[tuple[Status, Floats]]:
        """Status and seconds of each code that ran, of every point where one did."""
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

    def news(self) -> Iterator[Told]:
        """What was answered since the last call, batch by batch; at the first one all that is."""
        fresh, self._fresh = self._fresh, defaultdict(list)
        if fresh is None:
            yield from filter(len, (_told(found, found.status > 0) for _, found, _ in self._batches(1, chunk=1)))
            return
        for batch, ids in fresh.items():
            ((_, found, _),) = self._batches(batch, batch)
            yield _told(found, np.isin(found.ids, ids))

    def told(self, batch: int) -> Told:
        """The answered points of one batch, for a strategy."""
        ((_, found, _),) = self._batches(batch, batch)
        return _told(found, found.status > 0)

    def point(self, number: int) -> Results | None:
        """One point by its id, answered or not (status 0 then); None where there is none."""
        if not 1 <= number <= self.points:
            return None
        ((batch,),) = self._select("SELECT batch FROM points WHERE id = ?", (number,))
        ((_, found, _),) = self._batches(batch, batch)
        return found.where(found.ids == number)

    def complete_batches(self) -> int:
        """The number of the last batch up to which every point is answered: what a resumed strategy is told."""
        first_open = next(iter(self._unanswered.values()), None)  # they were added in the order of their ids
        return self.batches if first_open is None else first_open.batch - 1

    def results(self, *, first_batch: int = 1, target: Target | None = None, chunk: int = CHUNK) -> Iterator[Results]:
        """Answered points by id, at most `chunk` at a time, so that memory stays flat.

        `target`: only OK points with an NLL in it.
        """
        for _, found, _ in self._batches(first_batch, chunk=chunk):
            part = found.where(found.status > 0)
            if target is not None:
                part = part.where(target.contains(part.nll))
            for start in range(0, len(part.ids), chunk):
                yield part.where(slice(start, start + chunk))

    def _batches(
        self, first: int, last: int | None = None, chunk: int = CHUNK
    ) -> Iterator[tuple[list[int], Results, list[Asked]]]:
        """Batches that follow each other, about `chunk` points at a time: their numbers; their points, answered or not;
        those without an answer as they were asked. Raises DatasetError where a row is missing or was changed.
        """
        if self._columns is None:
            return
        with named(self.path):
            newest = last or self._count("ifnull(max(batch), 0) FROM checkpoint")  # committed with its batch
        while last is None or first <= last:
            with named(self.path):
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


def _told(found: Results, wanted: NDArray[np.bool_]) -> Told:
    part = found.where(wanted)
    return Told(part.ids, part.u, part.status, part.nll, part.observables, part.origins, part.batches)
