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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from proposer.folder import DatasetError, FolderInUse, FolderLock, journal_mode
from proposer.rows import Added, Outcome, Pending, Results, row_keys, to_array, to_blob, to_codes, to_results
from proposer.strategies.base import Batch, Floats, Status, Told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCHEMA_VERSION = 1

# points and results are two tables so that both only ever grow at their end
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE checkpoint (only INTEGER PRIMARY KEY CHECK (only = 1), batch INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE batches (number INTEGER PRIMARY KEY, iteration INTEGER NOT NULL, first_id INTEGER NOT NULL,
    points INTEGER NOT NULL, dropped INTEGER NOT NULL, unanswered INTEGER NOT NULL);
CREATE TABLE points (id INTEGER PRIMARY KEY, batch INTEGER NOT NULL, origin TEXT NOT NULL, u BLOB NOT NULL,
    params BLOB NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, key BLOB NOT NULL);
CREATE UNIQUE INDEX points_key ON points (key);
CREATE TABLE results (id INTEGER PRIMARY KEY, status TEXT NOT NULL, nll REAL, observables BLOB NOT NULL,
    losses BLOB NOT NULL, seconds BLOB NOT NULL, missing TEXT, failed_code TEXT NOT NULL,
    message TEXT NOT NULL, warnings TEXT);
CREATE INDEX results_nll ON results (nll) WHERE nll IS NOT NULL;
CREATE TABLE counts (origin TEXT, status TEXT, points INTEGER NOT NULL, PRIMARY KEY (origin, status)) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
"""

_ADD = "INSERT INTO points (id, batch, origin, u, params, key) VALUES (?, ?, ?, ?, ?, ?)"
_KNOWN = "SELECT 1 FROM points WHERE key = ?"
_RECORD = "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COUNT = "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET points = points + excluded.points"
_ASKED = "SELECT id, batch, origin FROM points WHERE id IN (SELECT value FROM json_each(?))"
_ANSWERED = "SELECT id FROM results WHERE id IN (SELECT value FROM json_each(?))"
_ONE_LESS = "UPDATE batches SET unanswered = unanswered - ? WHERE number = ?"
_PENDING = """SELECT id, params, attempts FROM points p
    WHERE id BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM results r WHERE r.id = p.id) ORDER BY id"""
_RESULTS = """SELECT r.id, p.batch, b.iteration, p.origin, p.u, p.params, p.attempts, r.status, r.nll, r.observables,
    r.losses, r.seconds, r.missing, r.failed_code, r.message, r.warnings
    FROM results r NOT INDEXED JOIN points p USING (id) JOIN batches b ON b.number = p.batch
    WHERE r.id > ? AND p.batch >= ? AND (? IS NULL OR r.nll < ?) ORDER BY r.id LIMIT ?"""
_NAMES = {each: each.name for each in Status}
_UNANSWERED = ""  # the status of a point without an answer, in the table `counts`

__all__ = ["Added", "Dataset", "DatasetError", "FolderInUse", "Outcome", "Pending", "Results"]


class Dataset:
    """The points of one run, in the folder `folder`. For one thread at a time.

    `read_only` looks at a run, also at one that another process works on.
    Raises FolderInUse while another process holds the folder, and DatasetError, whose
    message names the file, wherever the file cannot be read or written.
    """

    def __init__(self, folder: Path | str, *, read_only: bool = False) -> None:
        self.path = Path(folder) / "dataset.sqlite"
        self._lock = None if read_only else FolderLock(self.path.parent)
        try:
            self._db = self._open(read_only)
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
            and not self.path.with_name("dataset.sqlite-wal").exists()
        ):
            mode = "ro&immutable=1"  # else SQLite wants to make files beside it
        with self._named():
            address = f"{self.path.resolve().as_uri()}?mode={mode}"
            db = sqlite3.connect(address, uri=True, timeout=30, isolation_level=None)
            db.execute("PRAGMA cache_size = -65536")  # kB: the key index is read at random
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in ((SCHEMA_VERSION,) if read_only else (0, SCHEMA_VERSION)):
                raise DatasetError(
                    f"{self.path}: has format {version}, but this lodescan reads {SCHEMA_VERSION}; "
                    "go on with the lodescan that started the run"
                )
            if not read_only:
                db.execute(f"PRAGMA journal_mode = {journal_mode(self.path.parent)}")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA journal_size_limit = 67108864")
                if version == 0:
                    db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
            return db

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
        seen: set[bytes] = set()
        kept = np.zeros(len(keys), dtype=np.bool_)
        with self._named():
            for row, key in enumerate(keys):
                kept[row] = key not in seen and self._db.execute(_KNOWN, (key,)).fetchone() is None
                seen.add(key)
        number, first = self.batches + 1, self.points + 1
        rows = np.flatnonzero(kept).tolist()
        ids = np.arange(first, first + len(rows), dtype=np.int64)
        u, x = np.ascontiguousarray(batch.u, dtype="<f8"), np.ascontiguousarray(params, dtype="<f8")
        with self._transaction() as db:
            db.execute("REPLACE INTO checkpoint VALUES (1, ?, ?)", (number, checkpoint))
            db.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)",
                (number, batch.iteration, first, len(rows), len(keys) - len(rows), len(rows)),
            )
            db.executemany(
                _ADD,
                [
                    (point, number, batch.origins[row], u[row].tobytes(), x[row].tobytes(), keys[row])
                    for point, row in enumerate(rows, first)
                ],
            )
            origins = Counter(batch.origins[row] for row in rows)
            db.executemany(_COUNT, [(origin, _UNANSWERED, n) for origin, n in origins.items()])
            if nll is not None:
                known = zip(ids.tolist(), nll[kept].tolist(), strict=True)
                self._record([Outcome(point, Status.OK, value) for point, value in known if not math.isnan(value)])
        return Added(number, ids, kept)

    def record(self, results: Sequence[Outcome]) -> int:
        """Stores results in one transaction; returns how many were new.

        Of two results of one point the first stays. Raises DatasetError, and stores none,
        when one is of a point that was never asked.
        """
        with self._transaction():
            return self._record(results)

    def _record(self, results: Sequence[Outcome]) -> int:
        ids = (json.dumps([each.id for each in results]),)
        asked = {i: (batch, origin) for i, batch, origin in self._db.execute(_ASKED, ids)}
        answered = {row[0] for row in self._db.execute(_ANSWERED, ids)}
        rows = []
        counts: Counter[tuple[str, str]] = Counter()
        batches: Counter[int] = Counter()
        for each in results:
            if each.id in answered:
                continue
            if each.id not in asked:
                raise DatasetError(f"{self.path}: a result came for point {each.id}, which was never asked")
            answered.add(each.id)
            batch, origin = asked[each.id]
            status = _NAMES[each.status]
            batches[batch] += 1
            counts[origin, status] += 1
            counts[origin, _UNANSWERED] -= 1
            values = (to_blob(each.observables), to_blob(each.losses), to_blob(each.seconds))
            missing = json.dumps(list(each.missing)) if each.missing else None
            warnings = json.dumps(list(each.warnings)) if each.warnings else None
            rows.append((each.id, status, each.nll, *values, missing, each.failed_code, each.message, warnings))
        self._db.executemany(_RECORD, rows)
        self._db.executemany(_COUNT, [(origin, status, n) for (origin, status), n in counts.items()])
        self._db.executemany(_ONE_LESS, [(n, batch) for batch, n in batches.items()])
        return len(rows)

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
        """How many OK points have an NLL below `threshold`; from an index."""
        return int(self._select("SELECT count(*) FROM results WHERE nll < ?", (threshold,))[0][0])

    def pending(self) -> Pending:
        """The points without an answer, by id."""
        open_batches = "SELECT first_id, first_id + points - 1 FROM batches WHERE unanswered > 0 ORDER BY number"
        rows = [row for ends in self._select(open_batches) for row in self._select(_PENDING, ends)]
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        return Pending(ids, to_array([row[1] for row in rows]), np.array([row[2] for row in rows], dtype=np.int64))

    def told(self, batch: int) -> Told:
        """The answered points of one batch, as a strategy is told them."""
        rows = self._select(
            "SELECT p.id, p.u, r.status, r.nll, p.origin FROM points p JOIN results r USING (id), batches b"
            " WHERE b.number = ? AND p.id BETWEEN b.first_id AND b.first_id + b.points - 1 ORDER BY p.id",
            (batch,),
        )
        ids, u, status, nll, origins = zip(*rows, strict=True) if rows else ((),) * 5
        return Told(
            ids=np.array(ids, dtype=np.int64),
            u=to_array(u),
            status=to_codes(status),
            nll=np.array(nll, dtype=np.float64),
            origins=list(origins),
            batches=np.full(len(ids), batch, dtype=np.int64),
        )

    def complete_batches(self) -> int:
        """The number of the last batch up to which every point is answered: what a resumed strategy is told."""
        first_open = self._select("SELECT min(number) FROM batches WHERE unanswered > 0")[0][0]
        return self.batches if first_open is None else int(first_open) - 1

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
