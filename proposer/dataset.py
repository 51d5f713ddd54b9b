"""The durable store of a run: every point that was asked, and what came of it.

A run's folder holds `dataset.sqlite` and, while a process works on it, a locked file
`lock`. Two rules make a run safe against being killed at any moment: a batch and the
strategy's checkpoint are committed together before a point of it is sent, and results
are committed message by message. A result that arrives twice counts once.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections import Counter, defaultdict
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from proposer.folder import DatasetError, FolderInUse, FolderLock, journal_mode
from proposer.packing import (
    Packed,
    pack_places,
    pack_results,
    unpack_ids,
    unpack_nll,
    unpack_places,
    unpack_results,
    unpack_seconds,
)
from proposer.rows import Added, KeySet, Outcome, Pending, Results, row_keys
from proposer.strategies.base import Batch, Floats, Status, Told
from proposer.target import NONE, in_target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA_VERSION = 2

DATASET = "dataset.sqlite"
"""The file in the folder of a run."""

# The points of a batch are one row of `places`, and the results of one message for one batch are one of `results`
# (see packing.py), so that both tables only ever grow at their end. `known` are points that came with an NLL.
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE checkpoint (only INTEGER PRIMARY KEY CHECK (only = 1), batch INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE batches (number INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, first_id INTEGER NOT NULL,
    points INTEGER NOT NULL, dropped INTEGER NOT NULL, known INTEGER NOT NULL, unanswered INTEGER NOT NULL);
CREATE TABLE places (batch INTEGER PRIMARY KEY, origins TEXT NOT NULL, place BLOB NOT NULL);
CREATE TABLE results (batch INTEGER NOT NULL, ids BLOB NOT NULL, status BLOB NOT NULL, nll BLOB NOT NULL,
    widths BLOB NOT NULL, numbers BLOB NOT NULL, remarks TEXT);
CREATE INDEX results_by_batch ON results (batch);
CREATE TABLE attempts (id INTEGER PRIMARY KEY, attempts INTEGER NOT NULL);
CREATE TABLE counts (origin TEXT, status TEXT, points INTEGER NOT NULL, PRIMARY KEY (origin, status)) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
"""

_RECORD = "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?)"
_COUNT = "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET points = points + excluded.points"
_FEWER = "UPDATE batches SET unanswered = unanswered - ? WHERE number = ?"
_AGAIN = "INSERT INTO attempts VALUES (?, 1) ON CONFLICT DO UPDATE SET attempts = attempts + 1"
_BATCHES = """SELECT number, iteration, first_id, points, origins, place
    FROM batches JOIN places ON batch = number WHERE number BETWEEN ? AND ? ORDER BY number"""
_SIZES = "SELECT number, points FROM batches WHERE number >= ? ORDER BY number LIMIT ?"
_OPEN = """SELECT number, first_id, points, origins, place
    FROM batches JOIN places ON batch = number WHERE unanswered > 0 ORDER BY number"""
_ATTEMPTS = "SELECT id, attempts FROM attempts WHERE id BETWEEN ? AND ?"
_PACKED = "SELECT ids, status, nll, widths, numbers, remarks FROM results"
_ANSWERED = f"{_PACKED} WHERE batch BETWEEN ? AND ? AND rowid > ?"
_NEWS = "SELECT batch, max(rowid) FROM results WHERE rowid > ? GROUP BY batch"
MOST_BATCHES = 256
"""The most batches that are read at a time."""
_NAMES = ("", *(each.name for each in Status))
_UNANSWERED = ""  # the status of a point without an answer, in the table `counts`

__all__ = ["DATASET", "Added", "Dataset", "DatasetError", "FolderInUse", "Outcome", "Pending", "Results"]


class Dataset:
    """The points of one run, in the folder `folder`. For one thread at a time.

    `read_only` looks at a run, also at one that another process works on.
    Raises FolderInUse while another process holds the folder, and DatasetError, whose
    message names the file, wherever the file cannot be read or written.
    """

    def __init__(self, folder: Path | str, *, read_only: bool = False) -> None:
        self.path = Path(folder) / DATASET
        self._lock = None if read_only else FolderLock(self.path.parent)
        self._wal = False
        try:
            self._db = self._open(read_only)
            self._seen = KeySet()
            self._unanswered: dict[int, tuple[int, str]] = {}  # id: batch and origin
            self._last = self._newest = 0  # the newest id and batch
            if not read_only:
                self._load()
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise

    def _open(self, read_only: bool) -> sqlite3.Connection:
        if read_only and not self.path.exists():
            raise DatasetError(f"{self.path}: there is no such file, so this is not the folder of a run")
        access = "ro" if read_only else "rwc"
        if (
            read_only
            and not os.access(self.path.parent, os.W_OK)
            and not self.path.with_name(f"{DATASET}-wal").exists()
        ):
            access = "ro&immutable=1"  # else SQLite wants to make files beside it
        with self._named():
            address = f"{self.path.resolve().as_uri()}?mode={access}"
            db = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in ((SCHEMA_VERSION,) if read_only else (0, SCHEMA_VERSION)):
                raise DatasetError(
                    f"{self.path}: has format {version}, but this lodescan reads {SCHEMA_VERSION}; "
                    "go on with the lodescan that started the run"
                )
            if not read_only:
                mode = db.execute(f"PRAGMA journal_mode = {journal_mode(self.path.parent)}").fetchone()[0]
                self._wal = mode == "wal"
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA secure_delete = OFF")  # some builds overwrite every old checkpoint
                db.execute("PRAGMA journal_size_limit = 67108864")
                if version == 0:
                    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            return db

    def _load(self) -> None:
        """What the points asked before were, and which of them have no answer."""
        with self._named():
            rows = self._db.execute("SELECT points, place FROM batches JOIN places ON batch = number ORDER BY number")
            while part := rows.fetchmany(MOST_BATCHES):
                if points := sum(row[0] for row in part):
                    self._seen.add(row_keys(unpack_places([row[1] for row in part], points)[1]))
        self._last, self._newest = self.points, self.batches
        self._unanswered = {point: (number, origin) for point, number, origin, _ in self._open_points()}

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
    def _named(self) -> Iterator[None]:
        """Every error of SQLite names the file and what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise DatasetError(
                f"{self.path}: {error}; check the disk (space, rights), then start again: what was committed is kept"
            ) from error

    @contextmanager
    def _transaction(self, *, asks: bool = False) -> Iterator[sqlite3.Connection]:
        """All or nothing, on the disk when the block ends.

        What `asks` is safe from a kill; a WAL that loses power may lose it with what follows, as if never asked.
        """
        with self._named():
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

    def _select(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._named():
            return self._db.execute(statement, values).fetchall()

    # Writing

    def add_batch(self, batch: Batch, params: Floats, checkpoint: bytes, nll: Floats | None = None) -> Added:
        """Stores a batch and the checkpoint that belongs to it, in one transaction, before a point is sent.

        `params`: shape (n, d), the physical values of `batch.u`. Points whose values agree
        to 12 significant digits with those of a stored point, or of an earlier one in the
        batch, are left out. The others get the next ids. `nll`: shape (n,), for points
        whose NLL is known already (an InitCSV), NaN where it is not: those with one are
        stored as answered OK. Only the newest checkpoint is kept.
        """
        if params.shape != batch.u.shape:
            raise ValueError(f"params of shape {params.shape} for a batch of shape {batch.u.shape}")
        keys = row_keys(params)
        kept = self._seen.first_of_each(keys)
        number, first = self._newest + 1, self._last + 1
        origins, u = batch.origins, batch.u
        if not kept.all():
            origins, u, params = [origins[k] for k in np.flatnonzero(kept).tolist()], u[kept], params[kept]
        ids = np.arange(first, first + len(u))
        asked = {point: (number, origin) for point, origin in enumerate(origins, first)}
        known = [] if nll is None else zip(asked, nll[kept].tolist(), strict=True)
        outcomes = [Outcome(point, Status.OK, value) for point, value in known if not math.isnan(value)]
        with self._transaction(asks=True) as db:
            db.execute("REPLACE INTO checkpoint VALUES (1, ?, ?)", (number, checkpoint))
            counts = (number, batch.iteration, first, len(u), len(keys) - len(u), len(outcomes), len(u))
            db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)", counts)
            db.execute("INSERT INTO places VALUES (?, ?, ?)", (number, json.dumps(origins), pack_places(u, params)))
            db.executemany(_COUNT, [(origin, _UNANSWERED, n) for origin, n in Counter(origins).items()])
            answered = self._insert(outcomes, asked)
        self._seen.add(keys[kept])
        self._last, self._newest = self._last + len(u), number
        for point in answered:
            del asked[point]
        self._unanswered.update(asked)
        left = np.isin(ids, list(answered), invert=True) if answered else slice(None)
        return Added(number, ids, kept, Pending(ids[left], params[left], np.zeros(len(asked), dtype=np.int64)))

    def record(self, results: Sequence[Outcome]) -> int:
        """Stores results in one transaction; returns how many were new.

        Of two results of one point the first stays. Raises DatasetError, and stores none,
        when one is of a point that was never asked.
        """
        with self._transaction():
            answered = self._insert(results, self._unanswered)
        for point in answered:
            del self._unanswered[point]
        return len(answered)

    def _insert(self, results: Sequence[Outcome], unanswered: dict[int, tuple[int, str]]) -> set[int]:
        """Inserts the first result of each point that has none yet; returns these points."""
        answered: set[int] = set()
        batches: dict[int, list[Outcome]] = defaultdict(list)
        counts: dict[tuple[str, Status], int] = defaultdict(int)
        for each in results:
            point = each.id
            if point in answered or (place := unanswered.get(point)) is None:
                if not 1 <= point <= self._last:
                    raise DatasetError(f"{self.path}: a result came for point {point}, which was never asked")
                continue
            answered.add(point)
            batch, origin = place
            batches[batch].append(each)
            counts[origin, each.status] += 1
        for batch, outcomes in batches.items():
            self._db.execute(_RECORD, (batch, *pack_results(outcomes)))
            self._db.execute(_FEWER, (len(outcomes), batch))
        for (origin, status), n in counts.items():
            self._db.executemany(_COUNT, [(origin, _NAMES[status], n), (origin, _UNANSWERED, -n)])
        return answered

    def add_attempt(self, ids: Sequence[int]) -> None:
        """Notes that points were killed from outside, which is no answer: they will be sent again."""
        with self._transaction() as db:
            db.executemany(_AGAIN, [(int(each),) for each in ids])

    def set_meta(self, values: dict[str, Any]) -> None:
        """Stores values that JSON can hold under their keys, in one transaction."""
        with self._transaction() as db:
            db.executemany("REPLACE INTO meta VALUES (?, ?)", [(key, json.dumps(each)) for key, each in values.items()])

    # Reading

    @property
    def points(self) -> int:
        """How many points were asked; also the newest id."""
        rows = self._select("SELECT first_id + points - 1 FROM batches ORDER BY number DESC LIMIT 1")
        return int(rows[0][0]) if rows else 0

    @property
    def batches(self) -> int:
        """How many batches were asked; also the number of the newest one."""
        return int(self._select("SELECT ifnull(max(number), 0) FROM batches")[0][0])

    def meta(self) -> dict[str, Any]:
        """Everything that `set_meta` stored."""
        return {key: json.loads(value) for key, value in self._select("SELECT key, value FROM meta")}

    def latest_checkpoint(self) -> tuple[int, bytes] | None:
        """The newest batch's number and the checkpoint that was stored with it; None before the first."""
        rows = self._select("SELECT batch, data FROM checkpoint")
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else None

    def counts(self) -> dict[tuple[str, Status | None], int]:
        """How many points there are by origin and status (None: unanswered); at no cost, from running counters."""
        rows = self._select("SELECT origin, status, points FROM counts WHERE points > 0 ORDER BY origin, status")
        return {(origin, Status[status] if status else None): n for origin, status, n in rows}

    def count_good(self, threshold: float, above: float = NONE) -> int:
        """How many OK points have an NLL below `threshold` and above `above`; reads every result."""
        return sum(int(in_target(nll, threshold, above).sum()) for nll in self._nlls())

    def best_nll(self) -> float:
        """The lowest NLL; infinite where there is none."""
        return min((float(np.nanmin(nll, initial=math.inf)) for nll in self._nlls()), default=math.inf)

    def _nlls(self) -> Iterator[Floats]:
        with self._named():
            yield from (unpack_nll(row[0]) for row in self._db.execute("SELECT nll FROM results"))

    def seconds(self) -> Iterator[tuple[Status, Floats]]:
        """Status and seconds of each code that ran, of every point where one did; in no order."""
        with self._named():
            for row in self._db.execute(_PACKED):
                yield from unpack_seconds(Packed(*row))

    def count_known(self) -> int:
        """How many points came with their NLL from an InitCSV, so were never evaluated here."""
        return int(self._select("SELECT ifnull(sum(known), 0) FROM batches")[0][0])

    def pending(self) -> Pending:
        """The points without an answer, by id."""
        rows = list(self._open_points())
        attempts = dict(self._select("SELECT id, attempts FROM attempts")) if rows else {}
        return Pending(
            np.array([row[0] for row in rows], dtype=np.int64),
            np.array([row[3] for row in rows]) if rows else np.empty((0, 0)),
            np.array([attempts.get(row[0], 0) for row in rows], dtype=np.int64),
        )

    def _open_points(self) -> Iterator[tuple[int, int, str, Floats]]:
        """Id, batch, origin and parameters of each point without an answer, by id."""
        for number, first, points, origins, place in self._select(_OPEN):
            blobs = self._select("SELECT ids FROM results WHERE batch = ?", (number,))
            answered = {point for (blob,) in blobs for point in unpack_ids(blob)}
            params = unpack_places([place], points)[1]
            for point, origin, row in zip(range(first, first + points), json.loads(origins), params, strict=True):
                if point not in answered:
                    yield point, number, origin, row

    def news(self, after: int) -> tuple[int, list[int]]:
        """The number of the newest message of results, and the batches that messages after `after` belong to."""
        batches = dict(self._select(_NEWS, (after,)))
        return max(batches.values(), default=after), list(batches)

    def told(self, batch: int, observables: int, after: int = 0) -> Told:
        """The points of one batch answered by messages after one, for a strategy; `observables`: how many (m)."""
        part = self._results(self._select(_BATCHES, (batch, batch)), observables, after)
        return Told(part.ids, part.u, part.status, part.nll, part.observables, part.origins, part.batches)

    def complete_batches(self) -> int:
        """The number of the last batch up to which every point is answered: what a resumed strategy is told."""
        first_open = next(iter(self._unanswered.values()), None)  # they were added in the order of their ids
        return self.batches if first_open is None else first_open[0] - 1

    def results(
        self, observables: int, *, first_batch: int = 1, nll_below: float | None = None, nll_above: float = NONE,
        chunk: int = 2048,
    ) -> Iterator[Results]:  # fmt: skip
        """Answered points by id, at most `chunk` at a time, so that memory stays flat; `observables`: how many the
        evaluator returns (m). `nll_below`: only OK points with an NLL below it, and above `nll_above`.
        """
        while sizes := self._select(_SIZES, (first_batch, MOST_BATCHES)):
            together = max(1, sum(total <= chunk for total in accumulate(points for _, points in sizes)))
            rows = self._select(_BATCHES, (first_batch, sizes[together - 1][0]))
            part = self._results(rows, observables)
            if nll_below is not None:
                part = part.where(in_target(part.nll, nll_below, nll_above))
            for start in range(0, len(part.ids), chunk):
                yield part.where(slice(start, start + chunk))
            first_batch = rows[-1][0] + 1

    def _results(self, rows: Sequence[Any], observables: int, after: int = 0) -> Results:
        """The answered points of batches that follow each other, rows of `_BATCHES`, by id."""
        numbers, iterations, firsts, points, origins, places = zip(*rows, strict=True)
        answers = [Packed(*row) for row in self._select(_ANSWERED, (numbers[0], numbers[-1], after))]
        found = unpack_results(answers, observables)
        u, params = unpack_places(places, sum(points))
        at = found.ids - firsts[0]  # ids have no gaps
        of_batch = np.repeat(np.arange(len(rows)), points)[at]
        names = [name for each in origins for name in json.loads(each)]
        attempts = dict(self._select(_ATTEMPTS, (firsts[0], firsts[-1] + points[-1])))
        return Results(
            ids=found.ids,
            batches=np.array(numbers, dtype=np.int64)[of_batch],
            iterations=np.array(iterations, dtype=np.int64)[of_batch],
            origins=[names[each] for each in at.tolist()],
            u=u[at],
            params=params[at],
            attempts=np.array([attempts.get(each, 0) for each in found.ids.tolist()], dtype=np.int64),
            status=found.status,
            nll=found.nll,
            observables=found.observables,
            losses=found.losses,
            seconds=found.seconds,
            remarks=found.remarks,
        )
