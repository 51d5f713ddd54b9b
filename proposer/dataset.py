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
from collections import Counter
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from struct import pack
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from proposer.folder import DatasetError, FolderInUse, FolderLock, journal_mode
from proposer.rows import (
    Added,
    KeySet,
    Outcome,
    Pending,
    Results,
    row_keys,
    to_blobs,
    to_codes,
    to_numbers,
    to_places,
    to_remarks,
    to_results,
)
from proposer.strategies.base import Batch, Floats, Status, Told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA_VERSION = 1

DATASET = "dataset.sqlite"
"""The file in the folder of a run."""

# Points and results are two tables, without further indices, so that both only ever grow at their end: an index
# on values without an order writes a page for each point. Each column costs time too, so the numbers of a point
# share a blob of little-endian doubles: `place` is u and the parameters; `numbers` are as many observables and
# losses as the columns of these names say, then the seconds. `remarks` is JSON, NULL where there is nothing to say.
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE checkpoint (only INTEGER PRIMARY KEY CHECK (only = 1), batch INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE batches (number INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, first_id INTEGER NOT NULL,
    points INTEGER NOT NULL, dropped INTEGER NOT NULL, unanswered INTEGER NOT NULL);
CREATE TABLE points (id INTEGER PRIMARY KEY, batch INTEGER NOT NULL, origin TEXT NOT NULL, place BLOB NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0);
CREATE TABLE results (id INTEGER PRIMARY KEY, status TEXT NOT NULL, nll REAL, observables INTEGER NOT NULL,
    losses INTEGER NOT NULL, numbers BLOB NOT NULL, remarks TEXT);
CREATE TABLE counts (origin TEXT, status TEXT, points INTEGER NOT NULL, PRIMARY KEY (origin, status)) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
"""

_ADD = "INSERT INTO points (id, batch, origin, place) VALUES (?, ?, ?, ?)"
_RECORD = "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?)"
_COUNT = "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET points = points + excluded.points"
_FEWER = "UPDATE batches SET unanswered = unanswered - ? WHERE number = ?"
_PENDING = """SELECT id, batch, origin, place, attempts FROM points p
    WHERE id BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM results r WHERE r.id = p.id) ORDER BY id"""
_TOLD = """SELECT p.id, p.place, p.origin, r.status, r.nll, r.observables, r.numbers
    FROM points p JOIN results r USING (id), batches b
    WHERE b.number = ? AND p.id BETWEEN b.first_id AND b.first_id + b.points - 1 ORDER BY p.id"""
_RESULTS = """SELECT r.id, p.batch, b.iteration, p.origin, p.place, p.attempts, r.status, r.nll, r.observables,
    r.losses, r.numbers, r.remarks
    FROM results r JOIN points p USING (id) JOIN batches b ON b.number = p.batch
    WHERE r.id > ? AND p.batch >= ? AND (? IS NULL OR r.nll < ?) ORDER BY r.id LIMIT ?"""
_SECONDS = """SELECT status, substr(numbers, 8 * (observables + losses) + 1) FROM results
    WHERE length(numbers) > 8 * (observables + losses)"""
_KNOWN = """SELECT count(*) FROM results r JOIN points p USING (id)
    WHERE p.batch = 1 AND p.origin = 'init' AND r.status = 'OK' AND r.observables = 0"""
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
        try:
            self._db = self._open(read_only)
            self._seen = KeySet()
            self._unanswered: dict[int, tuple[int, str]] = {}  # id: batch and origin
            self._last = 0  # the newest id
            if not read_only:
                self._load()
        except BaseException:
            if self._lock is not None:
                self._lock.release()
            raise

    def _open(self, read_only: bool) -> sqlite3.Connection:
        if read_only and not self.path.exists():
            raise DatasetError(f"{self.path}: there is no such file, so this is not the folder of a run")
        mode = "ro" if read_only else "rwc"
        if (
            read_only
            and not os.access(self.path.parent, os.W_OK)
            and not self.path.with_name(f"{DATASET}-wal").exists()
        ):
            mode = "ro&immutable=1"  # else SQLite wants to make files beside it
        with self._named():
            address = f"{self.path.resolve().as_uri()}?mode={mode}"
            db = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in ((SCHEMA_VERSION,) if read_only else (0, SCHEMA_VERSION)):
                raise DatasetError(
                    f"{self.path}: has format {version}, but this lodescan reads {SCHEMA_VERSION}; "
                    "go on with the lodescan that started the run"
                )
            if not read_only:
                db.execute(f"PRAGMA journal_mode = {journal_mode(self.path.parent)}")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA secure_delete = OFF")  # some builds overwrite every old checkpoint
                db.execute("PRAGMA journal_size_limit = 67108864")
                if version == 0:
                    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            return db

    def _load(self) -> None:
        """What the points asked before were, and which of them have no answer."""
        with self._named():
            rows = self._db.execute("SELECT place FROM points ORDER BY id")
            while part := rows.fetchmany(10_000):
                self._seen.add(row_keys(to_places([row[0] for row in part])[1]))
        self._last = self.points
        for row in self._pending_rows():
            self._unanswered[row[0]] = (row[1], row[2])

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
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on the disk when the block ends."""
        with self._named():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

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
        number, first = self.batches + 1, self._last + 1
        places = to_blobs(np.hstack([batch.u[kept], params[kept]]))
        origins = [origin for origin, keep in zip(batch.origins, kept.tolist(), strict=True) if keep]
        asked = {point: (number, origin) for point, origin in enumerate(origins, first)}
        rows = zip(asked, repeat(number), origins, places, strict=False)
        known = [] if nll is None else zip(asked, nll[kept].tolist(), strict=True)
        outcomes = [Outcome(point, Status.OK, value) for point, value in known if not math.isnan(value)]
        with self._transaction() as db:
            db.execute("REPLACE INTO checkpoint VALUES (1, ?, ?)", (number, checkpoint))
            counts = (number, batch.iteration, first, len(asked), len(keys) - len(asked), len(asked))
            db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", counts)
            db.executemany(_ADD, rows)
            db.executemany(_COUNT, [(origin, _UNANSWERED, n) for origin, n in Counter(origins).items()])
            answered = self._insert(outcomes, asked)
        self._seen.add(keys[kept])
        self._last += len(asked)
        for point in answered:
            del asked[point]
        self._unanswered.update(asked)
        ids = np.arange(first, self._last + 1)
        open_ones = np.isin(ids, list(answered), invert=True) if answered else slice(None)
        pending = Pending(ids[open_ones], params[kept][open_ones], np.zeros(len(asked), dtype=np.int64))
        return Added(number, ids, kept, pending)

    def record(self, results: Sequence[Outcome]) -> int:
        """Stores results in one transaction; returns how many were new.

        Of two results of one point the first stays. Raises DatasetError, and stores none,
        when one is of a point that was never asked.
        """
        for each in results:
            if not 1 <= each.id <= self._last:
                raise DatasetError(f"{self.path}: a result came for point {each.id}, which was never asked")
        with self._transaction():
            answered = self._insert(results, self._unanswered)
        for point in answered:
            del self._unanswered[point]
        return len(answered)

    def _insert(self, results: Sequence[Outcome], unanswered: dict[int, tuple[int, str]]) -> set[int]:
        """Inserts the first result of each point that has none yet; returns these points."""
        rows = []
        answered: set[int] = set()
        places: list[tuple[tuple[int, str], str]] = []
        for point, status, nll, observables, losses, seconds, failed_code, message, warnings, missing, _ in results:
            if point in answered or (place := unanswered.get(point)) is None:
                continue
            answered.add(point)
            name = _NAMES[status]
            places.append((place, name))
            n, m, more = len(observables), len(losses), len(seconds)
            numbers = pack(f"<{n + m + more}d", *observables, *losses, *seconds)
            remarks = None
            if failed_code or message or warnings or missing:
                remarks = to_remarks(failed_code, message, warnings, missing)
            score = nll if status == Status.OK else None  # the other side's word alone makes no good point
            rows.append((point, name, score, n, m, numbers, remarks))
        self._db.executemany(_RECORD, rows)
        for ((batch, origin), word), n in Counter(places).items():
            self._db.executemany(_COUNT, [(origin, word, n), (origin, _UNANSWERED, -n)])
            self._db.execute(_FEWER, (n, batch))
        return answered

    def add_attempt(self, ids: Sequence[int]) -> None:
        """Notes that points were killed from outside, which is no answer: they will be sent again."""
        with self._transaction() as db:
            db.executemany("UPDATE points SET attempts = attempts + 1 WHERE id = ?", [(int(each),) for each in ids])

    def set_meta(self, values: dict[str, Any]) -> None:
        """Stores values that JSON can hold under their keys, in one transaction."""
        with self._transaction() as db:
            rows = [(key, json.dumps(value)) for key, value in values.items()]
            db.executemany("REPLACE INTO meta VALUES (?, ?)", rows)

    # Reading

    @property
    def points(self) -> int:
        """How many points were asked; also the newest id."""
        return int(self._select("SELECT ifnull(max(id), 0) FROM points")[0][0])

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

    def count_good(self, threshold: float) -> int:
        """How many OK points have an NLL below `threshold`; reads every result."""
        return int(self._select("SELECT count(*) FROM results WHERE nll < ?", (threshold,))[0][0])

    def best_nll(self) -> float:
        """The lowest NLL; infinite where there is none."""
        return float(self._select("SELECT ifnull(min(nll), 9e999) FROM results")[0][0])

    def seconds(self) -> Iterator[tuple[Status, bytes]]:
        """Status and seconds of each code that ran, little-endian doubles, of points where one ran; in no order."""
        with self._named():
            yield from ((Status[status], seconds) for status, seconds in self._db.execute(_SECONDS))

    def count_known(self) -> int:
        """How many points came with their NLL from an InitCSV, so were never evaluated here."""
        return int(self._select(_KNOWN)[0][0])

    def pending(self) -> Pending:
        """The points without an answer, by id."""
        rows = self._pending_rows()
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        attempts = np.array([row[4] for row in rows], dtype=np.int64)
        return Pending(ids, to_places([row[3] for row in rows])[1], attempts)

    def _pending_rows(self) -> list[Any]:
        batches = self._select(
            "SELECT first_id, first_id + points - 1 FROM batches WHERE unanswered > 0 ORDER BY number"
        )
        return [row for ends in batches for row in self._select(_PENDING, ends)]

    def told(self, batch: int, observables: int) -> Told:
        """The answered points of one batch, as a strategy is told them; `observables`: how many there are (m)."""
        rows = self._select(_TOLD, (batch,))
        ids, places, origins, status, nll, counts, numbers = zip(*rows, strict=True) if rows else ((),) * 7
        return Told(
            ids=np.array(ids, dtype=np.int64),
            u=to_places(places)[0],
            status=to_codes(status),
            nll=np.array(nll, dtype=np.float64),
            observables=to_numbers(counts, numbers, observables),
            origins=list(origins),
            batches=np.full(len(ids), batch, dtype=np.int64),
        )

    def complete_batches(self) -> int:
        """The number of the last batch up to which every point is answered: what a resumed strategy is told."""
        first_open = next(iter(self._unanswered.values()), None)  # they were added in the order of their ids
        return self.batches if first_open is None else first_open[0] - 1

    def results(
        self, observables: int, *, first_batch: int = 1, nll_below: float | None = None, chunk: int = 2048
    ) -> Iterator[Results]:
        """Answered points by id, at most `chunk` at a time, so that memory stays flat.

        `observables`: how many the evaluator returns (m). `nll_below`: only OK points with
        an NLL below it.
        """
        start = self._select("SELECT ifnull(max(first_id), 1) - 1 FROM batches WHERE number <= ?", (first_batch,))[0][0]
        while rows := self._select(_RESULTS, (start, first_batch, nll_below, nll_below, chunk)):
            yield to_results(rows, observables)
            start = rows[-1][0]
