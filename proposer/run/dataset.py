"""The durable store of a run: all points that were asked for, and their results.

A run's folder holds `dataset.sqlite` and, while a process works on it, a locked file
`lock`. Two rules make a run safe against being killed at any moment: a batch and the
strategy's checkpoint are committed together before a point of it is sent, and results
are committed message by message. A result that arrives twice counts once.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from proposer.keys import KeySet, row_keys
from proposer.run import schema
from proposer.run.checksums import Damaged
from proposer.run.files import REPORT, DatasetError
from proposer.run.folder import FolderInUse, FolderLock, check_no_foreign_files
from proposer.run.opening import named, open_readable, open_writable
from proposer.run.points import Asked, answer_rows, ask_rows, asked_of
from proposer.run.rows import Added, Results
from proposer.run.stored import Stored, as_told
from proposer.run.written import Written
from proposer.types import Batch, Floats, Outcome, Pending, Told

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proposer.run.columns import Columns

DATASET = "dataset.sqlite"
"""The file in the folder of a run."""

__all__ = ["DATASET", "Added", "Dataset", "DatasetError", "FolderInUse", "Outcome", "Pending", "Results"]

_POINT = "SELECT * FROM points WHERE id = ? AND status IS NOT NULL"


class Dataset(Stored):
    """The points of one run, in the folder `folder`. Not thread-safe.

    With `read_only` it only reads, even while another process works on the run. A run has no tables before `start`. All
    methods raise DatasetError, whose message names the file, if the file cannot be read or written; the constructor
    raises FolderInUse while another process holds the folder.
    """

    def __init__(self, folder: Path | str, *, read_only: bool = False) -> None:
        path = Path(folder) / DATASET
        self._seen = KeySet()
        self._unanswered: dict[int, Asked] = {}
        self._fresh: dict[int, list[int]] | None = None  # points answered since `news`, by batch
        self._last = self._newest = 0  # the newest id and batch
        if not (read_only or path.exists()):
            check_no_foreign_files(path.parent)
        self._lock = None if read_only else FolderLock(path.parent)
        self._written: Written | None = None
        try:
            if self._lock is None:
                db = open_readable(path)
            else:
                db, has_wal = open_writable(path)
                self._written = Written(path, db, wal=has_wal)
            try:
                super().__init__(path, db)
                if self._lock is not None:
                    self.check()
            except BaseException:
                db.close()
                raise
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise

    def start(self, columns: Columns, meta: Mapping[str, Any] | None = None) -> None:
        """Begins the run of this folder: stores its columns, and values for `meta`, in one transaction."""
        with self._transaction() as db:
            schema.create(db, columns)
            schema.write_first_meta(db, meta or {})
        with named(self.path):
            # without this, a run that loses its WAL would begin anew
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._columns = columns

    def check(self) -> None:
        """Reads every row. Raises DatasetError if a row is missing or has changed since it was written."""
        if self._columns is None:
            return
        # read first, because a running scan may ask for more points meanwhile
        asked, batches = self.points, self.batches
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
        """Closes the file and releases the folder."""
        self._db.close()
        if self._written is not None:
            self._written.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self, *, asks: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction: all or nothing, on the disk when the block ends.

        A transaction that `asks` for points survives a kill. A loss of power may remove it from a WAL together with all
        later transactions, as if the points had never been asked for.
        """
        self._check_place()
        with named(self.path):
            if lazy := asks and self._written is not None and self._written.wal:
                self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
                if self._written is not None:
                    self._written.note()
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                if lazy:
                    self._db.execute("PRAGMA synchronous = FULL")

    @property
    def is_in_place(self) -> bool:
        """Whether the path of the folder still leads to the folder that this process holds."""
        return self._lock is None or self._lock.is_in_place

    def _check_place(self) -> None:
        """Raises DatasetError if the file was removed or replaced, so that new data would be lost."""
        if self._lock is not None and self._written is not None:
            self._lock.check()
            with named(self.path):
                self._written.check()

    # Writing

    def add_batch(self, batch: Batch, params: Floats, checkpoint: bytes, known: Sequence[Outcome | None] = ()) -> Added:
        """Stores a batch and its checkpoint in one transaction, before any of its points is sent.

        `params`: shape (n, d), the physical values of `batch.u`. Points whose values agree to 12 significant digits
        with those of a stored point, or of an earlier one in the batch, are left out. The others get the next ids.
        `known`: the known results of points from an `init_csv`, None for points without one; their ids are ignored.
        Only the newest checkpoint is kept.
        """
        columns = self.columns
        if params.shape != batch.u.shape or params.shape[1] != len(columns.variables):
            raise ValueError(f"params of shape {params.shape} for a batch of shape {batch.u.shape}")
        params = params + 0.0  # SQLite has no minus zero
        keys = row_keys(params)
        kept = self._seen.first_of_each(keys)
        number, first = self._newest + 1, self._last + 1
        batch, params = batch.where(kept), params[kept]
        u, ids = batch.u, np.arange(first, first + len(batch))
        rows, made = ask_rows(
            first,
            number,
            batch.iteration,
            batch.origins,
            params,
            asked_at=time.time(),
            probability=batch.probability,
        )
        asked = dict(zip(ids.tolist(), made, strict=True))
        given = [known[row] for row in np.flatnonzero(kept).tolist()] if known else [None] * len(u)
        answered = [
            outcome._replace(id=point) for point, outcome in zip(asked, given, strict=True) if outcome is not None
        ]
        with self._transaction(asks=True) as db:
            schema.write_checkpoint(db, number, checkpoint)
            dropped = len(keys) - len(u)
            schema.write_batch(db, (number, batch.iteration, first, len(u), dropped, len(answered)), u)
            db.executemany(columns.ask, rows)
            if answered:
                asked_before = [asked[outcome.id] for outcome in answered]
                db.executemany(columns.answer, answer_rows(answered, asked_before, columns))
        self._seen.add(keys[kept])
        self._last, self._newest = self._last + len(u), number
        self._unanswered.update(asked)
        self._note_answered(answered)
        left = np.array([outcome is None for outcome in given], dtype=np.bool_)
        return Added(number, ids, kept, Pending(ids[left], params[left], np.zeros(left.sum(), dtype=np.int64)))

    def batch_of(self, point: int) -> int:
        """The number of the batch of a point without an answer; 0 for an answered point."""
        asked = self._unanswered.get(point)
        return 0 if asked is None else asked.batch

    def record(self, results: Sequence[Outcome]) -> int:
        """Stores results in one transaction, and returns the number of new ones.

        If two results are for the same point, the first one is kept. Raises DatasetError, and stores nothing, if a
        result is for a point that was never asked for.
        """
        new: dict[int, Outcome] = {}
        for result in results:
            if result.id in self._unanswered:
                new.setdefault(result.id, result)
            elif not 1 <= result.id <= self._last:
                raise DatasetError(
                    f"{self.path}: a result came for point {result.id}, which was never asked", next_step=REPORT
                )
        asked = [self._unanswered[point] for point in new]
        with self._transaction() as db:
            db.executemany(self.columns.answer, answer_rows(list(new.values()), asked, self.columns))
        self._note_answered(new.values())
        return len(new)

    def replace(self, results: Sequence[Outcome]) -> None:
        """Replaces the answers of points that are already answered, in one transaction."""
        if not results:
            return
        ids = [result.id for result in results]
        with named(self.path):
            found = {row[0]: row for point in ids for row in self._select(_POINT, (point,))}
            asked = asked_of([found[point] for point in ids], self.columns)
        with self._transaction() as db:
            db.executemany(self.columns.answer, answer_rows(results, asked, self.columns))

    def _note_answered(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            batch = self._unanswered.pop(outcome.id).batch
            if self._fresh is not None:
                self._fresh[batch].append(outcome.id)

    def add_attempt(self, ids: Sequence[int]) -> None:
        """Notes that points were killed from outside. This is not an answer: they will be sent again."""
        for point in ids:
            if (asked := self._unanswered.get(point)) is not None:
                asked = Asked.of(asked.batch, asked.crc, asked.attempts + 1)
                with self._transaction() as db:
                    row = (asked.attempts, asked.row_crc, point)
                    db.execute("UPDATE points SET attempts = ?, crc = ? WHERE id = ?", row)
                self._unanswered[point] = asked

    def set_meta(self, values: Mapping[str, Any]) -> None:
        """Stores values for JSON under their keys, in one transaction."""
        with self._transaction() as db:
            schema.write_meta(db, values)

    def news(self) -> Iterator[Told]:
        """The points that were answered since the last call, batch by batch. The first call returns all answered
        points.
        """
        fresh, self._fresh = self._fresh, defaultdict(list)
        if fresh is None:
            for numbers, found, _ in self._batches(1):
                answered = (as_told(found, (found.status > 0) & (found.batches == number)) for number in numbers)
                yield from filter(len, answered)
            return
        for batch, ids in fresh.items():
            ((_, found, _),) = self._batches(batch, batch)
            yield as_told(found, np.isin(found.ids, ids))

    def complete_batches(self) -> int:
        """The number of the last batch up to which every point is answered; a resumed strategy is told
        these batches.
        """
        first_open = next(iter(self._unanswered.values()), None)  # they were added in the order of their ids
        return self.batches if first_open is None else first_open.batch - 1
