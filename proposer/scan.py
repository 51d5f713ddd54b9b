"""The loop of a scan: ask, store, evaluate, tell."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from proposer.dataset import Dataset
from proposer.evaluators import Description, Evaluator
from proposer.progress import Progress, Tally
from proposer.rows import Outcome, Pending
from proposer.space import Space
from proposer.spectra import save_spectra
from proposer.strategies.base import Status, Strategy, Told
from proposer.tables import GoodPoints
from scanspec import ScanFile

MOST_POINTS = 2**31
"""Batches are never cut by a budget: the points behind it wait for a higher one, so that it changes no scan."""

SAVE_TIME_EVERY = 5.0
"""Seconds between two notes of the time that a run has taken: a kill loses no more of it."""

MOST_REPEATS = 100
"""Batches in a row of which every point is known already, after which a scan ends."""


@dataclass(frozen=True)
class Limits:
    """When a scan stops: good points, evaluations, hours of all its sessions together."""

    points: int
    evaluations: float
    hours: float

    @classmethod
    def read(cls, scan: ScanFile) -> Limits:
        """Reads `points`, `max_evaluations` and `max_hours` of the section setup."""
        setup = scan.setup
        evaluations = float(setup.integer("max_evaluations", low=1)) if "max_evaluations" in setup else math.inf
        return cls(
            setup.integer("points", 1000, low=1),
            evaluations,
            setup.number_in("max_hours", math.inf, 0.0, math.inf, open_low=True),
        )


class Scan:
    """One run: a strategy, an evaluator, and the folder where every result is kept."""

    def __init__(
        self,
        dataset: Dataset,
        strategy: Strategy,
        space: Space,
        evaluator: Evaluator,
        description: Description,
        good_points: GoodPoints,
        limits: Limits,
        tally: Tally,
        progress: Progress,
        wait: float,
    ) -> None:
        self._dataset, self._strategy, self._space = dataset, strategy, space
        self._evaluator, self._description, self._wait = evaluator, description, wait
        self._good_points, self._limits, self._tally, self._progress = good_points, limits, tally, progress
        self._seconds = float(dataset.meta().get("seconds", 0.0))
        self._start = time.monotonic()
        self._saved = self._start
        self._told = 0

    def run(self) -> str:
        """Runs until a stop condition is met, and returns it in words. The same folder goes on where it stopped."""
        try:
            return self._run()
        finally:
            # Whatever ends the scan, the good points of a batch that is not complete are in the file too.
            self._good_points.rewrite(self._dataset)
            self._save_time()

    def _run(self) -> str:
        # 1. Tell the strategy what is known: what an interrupted run found, points of an InitCSV.
        self._resume()
        repeats = 0
        while True:
            # 2. Finish the batch that is out: after a kill, its points keep their ids.
            self._finish_batch()
            # 3. Tell the strategy, in the order of the ids.
            self._tell_complete()
            # 4. Stop, or ask for the next batch.
            if (reason := self._stop_reason()) is not None:
                return reason
            if len(self._dataset.pending().ids):
                continue
            self._progress.doing("training")
            batch = self._strategy.ask(MOST_POINTS)
            if batch is None:
                return self._strategy.stop_reason
            # 5. Store it with the strategy's state, before a point of it is sent.
            added = self._dataset.add_batch(batch, self._space.to_physical(batch.u), self._strategy.checkpoint())
            repeats = 0 if len(added.ids) else repeats + 1
            if repeats == MOST_REPEATS:
                return "the strategy finds no points that were not evaluated before"
            self._progress.doing(f"iteration {batch.iteration}" if batch.iteration else "bootstrap")

    def _resume(self) -> None:
        for number in range(1, self._dataset.complete_batches() + 1):
            self._strategy.tell(self._told_of(number))
            self._told = number
        checkpoint = self._dataset.latest_checkpoint()
        if checkpoint is not None:
            self._strategy.restore(checkpoint[1])
        self._good_points.rewrite(self._dataset, self._told)

    def _finish_batch(self) -> None:
        """Evaluates what is pending, as far as the budget goes; a later command finishes what is left."""
        left = max(self._limits.evaluations - self._tally.evaluated, 0)
        n, found = int(min(left, MOST_POINTS)), self._dataset.pending()
        pending = Pending(found.ids[:n], found.params[:n], found.attempts[:n])
        if not len(pending.ids):
            return
        names = list(self._space.names)
        until = self._start + self._limits.hours * 3600 - self._seconds
        for received in self._evaluator.evaluate(self._description, names, pending, self._wait, until):
            self._record(received.outcomes)
            if received.killed:
                self._dataset.add_attempt(received.killed)

    def _record(self, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        save_spectra(self._dataset.path.parent, outcomes)
        self._dataset.record(outcomes)
        self._tally.add(outcomes)
        self._progress.update()
        if time.monotonic() - self._saved > SAVE_TIME_EVERY:
            self._save_time()

    def _tell_complete(self) -> None:
        while self._told < self._dataset.complete_batches():
            self._told += 1
            self._strategy.tell(self._told_of(self._told))
            self._good_points.add(self._dataset, self._told)

    def _told_of(self, batch: int) -> Told:
        return self._dataset.told(batch, len(self._description.observables))

    def _save_time(self) -> None:
        self._saved = time.monotonic()
        self._dataset.set_meta({"seconds": self.seconds})

    @property
    def seconds(self) -> float:
        """Wall time of all sessions of the run."""
        return self._seconds + time.monotonic() - self._start

    def _stop_reason(self) -> str | None:
        limits = self._limits
        if self._strategy.good >= limits.points:
            return f"{self._strategy.good:,} good points found (points: {limits.points:,})"
        if self._tally.evaluated >= limits.evaluations:
            return f"{self._tally.evaluated:,} points evaluated (max_evaluations)"
        if self.seconds >= limits.hours * 3600:
            return f"{limits.hours:g} hours are over (max_hours)"
        return None


def read_tally(dataset: Dataset, target: int, threshold: float, most: float = math.inf) -> Tally:
    """The counts of a run so far."""
    tally = Tally(target, threshold, most, good=dataset.count_good(threshold), best=dataset.best_nll())
    for (_, status), points in dataset.counts().items():
        if status is not None:
            tally.by_status[status] += points
    tally.by_status[Status.OK] -= dataset.count_known()
    return tally
