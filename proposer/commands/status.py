"""`lodescan status`: what a run has found so far, also while it goes on."""

from __future__ import annotations

import math
from pathlib import Path

from proposer.formats import show_time
from proposer.run.dataset import Dataset
from proposer.run.record import RunRecord
from proposer.run.tables import GOOD_POINTS
from proposer.scan import read_tally
from proposer.show.costs import costs, show_costs
from proposer.show.evaluators import show_evaluators
from proposer.show.failures import show_reasons


def status(folder: Path) -> int:
    """Prints counts, the best point, time, and where the files are. Raises DatasetError when there is no run."""
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
        if not record.started:
            print(f"{folder}: the run has not started yet")
            return 0
        dataset.check()
        tally = read_tally(dataset, record.points, record.target, names=record.observables)
        origins: dict[str, int] = {}
        for (origin, _), points in dataset.counts().items():
            origins[origin] = origins.get(origin, 0) + points
        print(f"{folder}: {tally.good:,} of {tally.wanted:,} good points ({record.target.describe()})")
        print(f"evaluated: {tally.evaluated:,} ({tally.breakdown()}); {dataset.count_pending():,} more asked for")
        print(f"asked for as: {', '.join(f'{points:,} {origin}' for origin, points in sorted(origins.items()))}")
        if tally.best < math.inf:
            print(tally.lowest())
        for line in show_reasons(dataset, folder, record.variables):
            print(line)
        for line in show_costs(costs(dataset.seconds(), record.codes)):
            print(line)
        for line in show_evaluators(dataset.results(), record.evaluators, record.raced):
            print(line)
        print(f"time: {show_time(record.seconds)}; seed {record.seed}; evaluator {record.backend}")
        print(f"stopped: {record.stopped}" if record.stopped else "not finished; the same scan command goes on")
        if tally.good:
            print(f"good points: {folder / GOOD_POINTS}")
    return 0
