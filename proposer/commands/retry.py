"""`lodescan retry`: evaluates stored points again and replaces their answers."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proposer.asked import check_agreement
from proposer.evaluation.backend import Description
from proposer.evaluation.work import Work
from proposer.run.dataset import DATASET, Dataset
from proposer.run.files import START, DatasetError
from proposer.run.folder import PAGE
from proposer.run.manifest import check_same_evaluator
from proposer.run.record import RunRecord
from proposer.run.spectra import kept_below, save_spectra
from proposer.run.tables import GOOD_POINTS, GoodPoints
from proposer.show.failures import scan_file
from proposer.show.plots import read_scan
from proposer.show.voice import say
from proposer.types import Pending, Status
from proposer.wire.attendance import Purpose
from proposer.wire.pool import Pool
from proposer.wire.security import Security
from scanspec.text import quoted

REPAIRED = (
    "if you have repaired a code, and the results of all other points are still right, give the command again with "
    "--same-physics; otherwise start a new run"
)
"""What to do if the physics of the run has changed."""

SAY_EVERY = 10.0
"""Seconds between two lines about the progress."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """The options of `retry`. Points whose status is among `statuses` are evaluated again."""

    statuses: Collection[Status]
    places: Sequence[str]
    security: Security
    wait: float
    same_physics: bool


def retry(folder: Path, how: Retry) -> int:
    """Evaluates points again. A point without a new answer keeps its old answer. Returns 0.

    Raises DatasetError, NoEvaluator, EvaluatorRefused, and AnotherRun if the evaluator computes something else.
    """
    if not (folder / DATASET).exists():
        raise DatasetError(f"{folder}: there is no run here", next_step=START)
    with Dataset(folder) as dataset:
        record = RunRecord.read(dataset.meta())
        spec, target = read_scan(folder), record.target
        points = _chosen(dataset, how.statuses)
        words = " or ".join(status.name for status in how.statuses)
        if not len(points.ids):
            say(f"no point has the status {words}: nothing to do")
            return 0
        below = kept_below(spec, dataset.now(target))
        purpose = Purpose(spectra_below=below, file=scan_file(folder))
        pool = Pool(how.places, security=how.security, say=say, purpose=purpose)

        def fits(description: Description) -> None:
            check_agreement(spec, description, pool.where)
            check_same_evaluator(dataset, record, description, same_physics=how.same_physics, next_step=REPAIRED)

        try:
            pool.describe(how.wait, fits)
            say(f"{folder}: evaluating {len(points.ids):,} points with the status {words} again")
            counts, last = Counter[Status](), time.monotonic()
            work = Work(record.variables)
            work.add(points, len(points.ids))
            for received in pool.evaluate(work, wait=how.wait, until=math.inf):
                save_spectra(folder, received.outcomes)
                dataset.replace(received.outcomes)
                counts.update(outcome.status for outcome in received.outcomes)
                if time.monotonic() - last > SAY_EVERY:
                    last = time.monotonic()
                    say(f"{counts.total():,} of {len(points.ids):,}: {_words(counts)}")
        finally:
            pool.close()
            table = folder / GOOD_POINTS
            GoodPoints(table, record.variables, record.observables, target, record.points or math.inf).rewrite(dataset)
        say(f"evaluated again: {_words(counts)}; {dataset.count_good(target):,} good points in all")
        if (report := folder / PAGE).exists():
            say(f"{report} still has the old answers; `lodescan report {quoted(folder)}` writes it anew")
    return 0


def _words(counts: Counter[Status]) -> str:
    return ", ".join(f"{points:,} {status.name}" for status, points in sorted(counts.items()))


def _chosen(dataset: Dataset, statuses: Collection[Status]) -> Pending:
    """The points with one of these statuses, as new points without attempts."""
    ids, values = [np.empty(0, dtype=np.int64)], [np.empty((0, len(dataset.columns.variables)))]
    for part in dataset.results():
        wanted = np.isin(part.status, [*statuses])
        ids.append(part.ids[wanted])
        values.append(part.params[wanted])
    every = np.concatenate(ids)
    return Pending(every, np.concatenate(values), np.zeros(len(every), dtype=np.int64))
