"""The loop of a scan: ask, store, evaluate, tell."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import numpy as np

from proposer.evaluation.backend import EvaluationBackend
from proposer.evaluation.presence import Presence
from proposer.evaluation.work import Received, Work
from proposer.formats import show_count
from proposer.run.dataset import Dataset, DatasetError
from proposer.run.record import RunRecord
from proposer.run.spectra import save_spectra
from proposer.run.tables import GoodPoints
from proposer.show.progress import Progress
from proposer.show.tally import Tally
from proposer.show.watcher import Watcher
from proposer.space import Space
from proposer.stopping import MOST_REPEATS, FirstGood
from proposer.strategies.base import Strategy
from proposer.telling import AsTheyCome, InOrder, Telling
from proposer.time_limit import OutOfTime, within
from proposer.types import Batch, Outcome, Pending
from scanspec import ScanFile

MOST_POINTS = 2**31
"""The largest number of points that are handed out at once if the budget is infinite. A finite budget does not change
which points are chosen: the points of a batch that exceed it wait for a higher budget.
"""

FIRST_THOUGHT = 0.25
"""The seconds that an eager scan expects the first training to take."""

LONGER = 1.5
"""An eager scan expects the next training to take this many times as long as the last."""

MOST_AT_FIRST = 1000
"""The largest number of points that an eager scan asks for at once while it has fewer answers than this."""

SAVE_TIME_EVERY = 5.0
"""The seconds between two times at which the wall time of the run is stored. A kill loses at most these."""


@dataclass(frozen=True)
class Limits:
    """When a scan stops: the number of good points, the number of evaluations, and the wall time of all commands of the
    run, in hours.
    """

    points: int
    evaluations: float
    hours: float

    @classmethod
    def read(cls, scan: ScanFile) -> Limits:
        """Reads `points`, `max_evaluations` and `max_hours` of the section setup. Raises ScanFileError."""
        setup = scan.setup
        evaluations = float(setup.integer("max_evaluations", low=1)) if "max_evaluations" in setup else math.inf
        points = setup.integer("points", 1000, low=1)
        if "points" not in setup and setup.text("type", "") == "GRID":
            points = max(1, math.prod(variable.grid_steps for variable in scan.variables))
        if "good_points_early_stop" in setup and setup.text("type", "") == "CMAES_ND":
            points = setup.integer("good_points_early_stop", low=1)
        return cls(
            points,
            evaluations,
            setup.number_in("max_hours", math.inf, 0.0, math.inf, open_low=True),
        )


class Scan:
    """One run: a strategy, a backend that evaluates points, and the dataset of all results.

    `wait`: seconds to wait for an evaluator. `eager`: the strategy is asked before the evaluators run out of points,
    and sees the results that have arrived. `files_of_good`: spectrum files come from all OK points, because the
    evaluator cannot know which points are good, and only those of good points are kept.
    """

    def __init__(
        self,
        *,
        dataset: Dataset,
        strategy: Strategy,
        space: Space,
        backend: EvaluationBackend,
        good_points: GoodPoints,
        limits: Limits,
        tally: Tally,
        progress: Progress,
        wait: float,
        eager: bool = False,
        files_of_good: bool = False,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._dataset, self._strategy, self._space = dataset, strategy, space
        self._backend, self._wait = backend, wait
        self._good_points, self._limits, self._tally, self._progress = good_points, limits, tally, progress
        record = RunRecord.read(dataset.meta())
        self._seconds, self._evaluators = record.seconds, record.evaluators
        self._presence, self._worker_seconds = Presence(), record.worker_seconds
        tally.raced = record.raced
        self._start, self._over = time.monotonic(), threading.Event()
        self._saved = -math.inf
        self._eager, self._thought = eager, FIRST_THOUGHT
        self._work = Work(space.names)
        self._work.batch_of = dataset.batch_of
        self._watchers = watchers
        self._first_good = FirstGood(limits.points)
        self._last_wanted = math.inf
        self._follows, self._files_of_good = tally.target.follows, files_of_good
        self._settled = False  # the target follows the best NLL, and enough points are good
        self._telling: Telling = InOrder(dataset, strategy)
        if eager:
            self._telling = AsTheyCome(dataset, strategy, self._work, self._ahead)
        self._results: Generator[Received] | None = None

    def run(self) -> str:
        """Runs until a stop condition is met, and returns the condition in words. A later scan in the folder goes on
        from there.

        Raises DatasetError, and NoEvaluator or EvaluatorRefused of the backend.
        """
        try:
            with ThreadPoolExecutor(1, "strategy") as self._thinker, ExitStack() as first:
                first.callback(self._over.set)  # ends a long training, because the executor waits for its thread
                reason = self._run()
            self._keep()
            return reason
        except BaseException:
            with suppress(DatasetError):  # the error that ended the scan is the one to report
                self._keep()
            raise
        finally:
            if self._results is not None:
                self._results.close()

    def _keep(self) -> None:
        """Adds the good points of an incomplete batch to the file of good points, and stores the time, however the scan
        ended.
        """
        self._good_points.finish(self._dataset)
        self._save_time()

    def _run(self) -> str:
        # 1. Tell the strategy all known results: those of an interrupted run, and of `init_csv`.
        self._telling.resume()
        self._tally.start = self._strategy.start_points  # as the first command had it
        for ids in () if self._follows else self._dataset.good_ids(self._tally.target):
            self._first_good.add(ids)
        self._last_wanted = self._first_good.last
        self._good_points.start(self._dataset)
        self._give(self._dataset.pending())
        repeats = 0
        while True:
            # 2. Evaluate the points that the next ask is to see. After a kill, points without an answer keep their ids.
            self._evaluate(lambda: self._has_enough or self._telling.ready())
            # 3. Tell the strategy.
            told = self._telling.tell()
            self._good_points.add(self._dataset)
            # 4. Stop, or ask for the next batch while other points are evaluated.
            reason = self._stop_reason()
            if reason is None and not told:
                continue
            if reason is None and self._follows:
                self._settle()
                reason = self._stop_reason()
            asked = None if reason is not None or self._all_asked() else self._ask()
            if asked is None or self._has_enough:
                return self._finish() or self._strategy.stop_reason
            # 5. Store the batch with the strategy's state, before any of its points is sent.
            batch, checkpoint = asked
            added = self._dataset.add_batch(batch, params := self._space.to_physical(batch.u), checkpoint)
            repeats = 0 if len(added.ids) else repeats + 1
            if repeats == MOST_REPEATS:
                return self._finish() or "the strategy finds no points that were not evaluated before"
            for watcher in self._watchers:
                watcher.asked(added.batch, batch.iteration, len(added.ids))
            self._give(added.pending)
            chosen = [batch.origins[k] for k in np.flatnonzero(added.kept).tolist()]
            self._progress.asked(added.ids.tolist(), chosen, batch.u[added.kept], params[added.kept])
            self._progress.doing(f"iteration {batch.iteration}" if batch.iteration else "bootstrap")
            self._progress.busy(len(self._work), self._backend.workers, self._presence.seconds)
            self._save_time()  # so that `watch` shows the batch before its first answer

    def _give(self, points: Pending) -> None:
        """Hands out points without an answer, as many as are needed and the budget allows. A later command may evaluate
        the others.
        """
        wanted = points.ids <= self._last_wanted
        self._work.add(Pending(points.ids[wanted], points.params[wanted], points.attempts[wanted]), self._left)

    def _ask(self) -> tuple[Batch, bytes] | None:
        """The next batch and the strategy's state; None if the strategy is done."""
        least = min(self._ahead(), self._left) if self._eager else 1
        if not (self._strategy.lag or self._eager):
            self._progress.doing("training")
            return self._think(least)
        thinking = self._thinker.submit(self._think, least)
        thinking.add_done_callback(lambda _: self._backend.wake())
        self._evaluate(thinking.done)
        return thinking.result()

    def _think(self, least: int) -> tuple[Batch, bytes] | None:
        """Asks the strategy for at least `least` points. None if it is done, or if the time is over."""
        start, trained = time.monotonic(), self._strategy.training_seconds
        try:
            with self._progress.thinking(), within(self._until, self._over):
                batch = self._strategy.ask(least)
        except OutOfTime:
            return None
        took = time.monotonic() - start
        for watcher in self._watchers:
            watcher.thought(took, self._strategy.training_seconds - trained)
        asked = None if batch is None else (batch, self._strategy.checkpoint())
        self._thought = max(time.monotonic() - start, self._thought / LONGER)
        return asked

    def _ahead(self) -> int:
        """The number of points that keep the workers busy during the next ask, but at most as many as there are
        answers, or MOST_AT_FIRST.
        """
        return min(self._backend.points_in(LONGER * self._thought), max(self._tally.evaluated, MOST_AT_FIRST))

    @property
    def _left(self) -> int:
        """The number of points that the budget leaves, beside those that are out."""
        return int(min(self._limits.evaluations - self._tally.evaluated - len(self._work), MOST_POINTS))

    def _evaluate(self, enough: Callable[[], bool]) -> None:
        """Stores results until there are enough, or until no point is left to evaluate."""
        while not enough():
            if self._results is None:
                self._results = self._backend.evaluate(self._work, wait=self._wait, until=self._until)
            received = next(self._results, None)
            if received is None:
                self._results = None
                return
            self._record(received)

    def _record(self, received: Received) -> None:
        """Stores results, counts and shows them, and withdraws the points that they make superfluous."""
        self._presence.note(workers := self._backend.workers)  # evaluators may come and go without a result
        if received.killed:  # first, because the last kill also answers its point
            self._dataset.add_attempt(received.killed)
        if received.outcomes:
            batches = [self._dataset.batch_of(outcome.id) for outcome in received.outcomes] if self._watchers else []
            self._tally.add(received.outcomes)
            save_spectra(self._dataset.path.parent, self._to_keep(received.outcomes))
            self._dataset.record(received.outcomes)
            for watcher in self._watchers:
                watcher.answered(received.outcomes, batches)
            self._tally.raced += received.raced
            self._want_no_more(received.outcomes)
            if self._tally.hopeless:
                self._withdraw([*self._work.rows])
            self._evaluators = self._evaluators | workers
            self._progress.busy(len(self._work), workers, self._presence.seconds)
            self._progress.answered(received.outcomes)
        if time.monotonic() - self._saved > SAVE_TIME_EVERY:
            self._save_time()

    def _to_keep(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """The points whose spectrum files are kept."""
        if not self._files_of_good:
            return outcomes
        return [outcome for outcome in outcomes if outcome.nll is not None and self._tally.target.contains(outcome.nll)]

    def _settle(self) -> None:
        """Decides whether a scan ends whose target follows the best NLL.

        A better point may make other points bad, so such a scan ends only between two batches. Once enough of the told
        points are good, all points that are out are evaluated. The scan ends if enough points are still good. So the
        result does not depend on the speed of evaluators.
        """
        if self._strategy.good >= self._limits.points:
            self._evaluate(lambda: False)
            self._settled = not len(self._work) and self._tally.good >= self._limits.points

    def _want_no_more(self, outcomes: Sequence[Outcome]) -> None:
        """Withdraws all points with higher ids than the last needed good point. Points that run are still answered.

        Points with lower ids are kept, because one of them may be good and replace the last needed point. So the set of
        the first good points does not depend on the speed of evaluators.
        """
        if self._follows:
            return
        target = self._tally.target
        self._first_good.add(
            outcome.id for outcome in outcomes if outcome.nll is not None and target.contains(outcome.nll)
        )
        if (last := self._first_good.last) < self._last_wanted:
            self._last_wanted = last
            self._withdraw([point for point in self._work.rows if point > last])

    def _withdraw(self, points: Sequence[int]) -> None:
        """Withdraws points. Those that run are still answered."""
        self._work.give_up_waiting(points)
        self._backend.cancel(points)

    def _finish(self) -> str | None:
        """Evaluates the points that are already handed out, so that the result does not depend on the speed of
        evaluators. Returns why the scan stops.
        """
        self._evaluate(lambda: False)
        self._telling.finish()
        return self._stop_reason()

    def _all_asked(self) -> bool:
        """Whether the points that are out use up the budget."""
        return self._left <= 0

    @property
    def _has_enough(self) -> bool:
        """Whether enough good points are found. Which of them count is known once all points with lower ids are
        answered.
        """
        return self._last_wanted < math.inf or self._settled

    @property
    def _until(self) -> float:
        """The time of time.monotonic at which the scan must stop."""
        return self._start + self._limits.hours * 3600 - self._seconds

    def _save_time(self) -> None:
        """Stores the wall time, the state for displays, and, if the target follows the best NLL, that NLL."""
        self._saved = time.monotonic()
        self._presence.note(workers := self._backend.workers)
        self._evaluators = self._evaluators | workers
        seen = {"evaluators": self._evaluators, "raced": self._tally.raced, "live": self._progress.state().to_json()}
        seen["worker_seconds"] = self._presence.after(self._worker_seconds)
        moving = {**self._tally.target.to_meta(), **best_of(self._tally)} if self._follows else {}
        self._dataset.set_meta({"seconds": self.seconds, **seen, **moving})

    @property
    def seconds(self) -> float:
        """The wall time of all commands of the run, in seconds."""
        return self._seconds + time.monotonic() - self._start

    def _stop_reason(self) -> str | None:
        """The stop condition that is met, in words; None if the scan goes on."""
        limits = self._limits
        if self._has_enough:
            return f"{show_count(limits.points, 'good point')} found (points: {limits.points:,})"
        if self._tally.evaluated >= limits.evaluations:
            return f"{self._tally.evaluated:,} points evaluated (max_evaluations)"
        if self.seconds >= limits.hours * 3600:
            return f"{limits.hours:g} hours are over (max_hours)"
        if self._tally.hopeless:
            return f"each of the {self._tally.evaluated:,} points failed or timed out"
        return None


def best_of(tally: Tally) -> dict[str, float | None]:
    """The lowest NLL, under its key in the meta table of a run; None (for JSON) if there is none."""
    return {"best_nll": tally.best if math.isfinite(tally.best) else None}
