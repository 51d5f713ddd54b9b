"""Runs points in the evaluator's own process (`--workers 0`)."""

from __future__ import annotations

import contextlib
import queue
import shutil
import threading
from time import perf_counter, time  # here: a function may put something else into `time`

from evaluator.chain import Chain, Outcome, Status
from evaluator.description import watched
from evaluator.errors import EvaluatorLost
from evaluator.executors.children import Children
from evaluator.executors.job import Job, JobQueue
from evaluator.executors.protocol import Health
from evaluator.executors.surroundings import Surroundings, runs_functions
from evaluator.executors.watch import Watch
from evaluator.leftovers import ROOT_MARK, ScratchRoot, adopt_orphans, kill_marked
from evaluator.words import say
from scanspec.raised import printable, what_was_raised

TOGETHER = 0.002
"""Seconds for which the outcomes of quick points wait for each other."""


class InProcessExecutor:
    """Runs points in a thread of this process: no isolation, no deadlines. For trusted codes and benchmarks."""

    concurrency = 1
    longest_seconds = 0.0

    def __init__(self, chain: Chain) -> None:
        self.health = Health()
        self._chain = chain
        self._watch = Watch(watched(chain))
        self._scratch = ScratchRoot()
        adopt_orphans()
        self._children = Children(say)
        self._queue = JobQueue()
        self._count = 0
        self._current: Job | None = None  # the one that is running
        # a daemon, so that a code that hangs does not keep the evaluator from ending
        self._thread = threading.Thread(target=self._work, name="points", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        self._queue.put(job)

    def _work(self) -> None:
        surroundings = Surroundings(self._chain.scan.folder) if runs_functions(self._chain) else None
        while (job := self._queue.get()) is not None:
            answered = self._answer_some(job, surroundings)
            try:
                self._watch.look(after_point=True)  # once for all of them, since it takes as long as a quick point
            except Exception as error:  # noqa: BLE001  # the points must get an answer, and the thread must go on
                outcome = self._without_answer(error)
                answered = [(member, outcome, ended_at) for member, _, ended_at in answered]
            for member, outcome, ended_at in answered:
                member.finish(Outcome(Status.CANCELLED) if member.dropped else outcome, ended_at)

    def _answer_some(self, job: Job, surroundings: Surroundings | None) -> list[tuple[Job, Outcome, float]]:
        """Runs this job, and those that follow as long as they are quick. Returns jobs, outcomes and end times."""
        answered: list[tuple[Job, Outcome, float]] = []
        end = perf_counter() + TOGETHER
        following: Job | None = job
        with contextlib.suppress(queue.Empty):
            while following is not None:
                if following.begin():
                    answered.append((following, self._answer(following, surroundings), time()))
                if perf_counter() >= end:
                    return answered
                following = self._queue.get_nowait()
            self._queue.put(None)
        return answered

    def _answer(self, job: Job, surroundings: Surroundings | None) -> Outcome:
        self._count += 1
        self._current = job
        try:
            if self.health.error is not None:
                return Outcome(Status.CANCELLED)
            self._watch.begin()
            return self._run(job, f"{self._scratch.path}/point-{self._count}", surroundings)
        except Exception as error:  # noqa: BLE001  # the point must get an answer, and the thread must go on
            return self._without_answer(error)
        finally:
            self._current = None

    def _without_answer(self, error: Exception) -> Outcome:
        """The outcome of a point that the evaluator could not run."""
        if isinstance(error, EvaluatorLost):
            self.health.report(error)
            return Outcome(Status.CANCELLED)
        return Outcome(Status.KILLED, message=printable(what_was_raised(error)))

    def _run(self, job: Job, folder: str, surroundings: Surroundings | None) -> Outcome:
        if surroundings is not None:
            surroundings.seed(job.point_id, job.variables)
        try:
            outcome = self._chain.evaluate(job.variables, folder, None, job.spectra_below)
        except BaseException as error:  # noqa: BLE001  # whatever a function raises
            outcome = Outcome(Status.FAILED, message=printable(what_was_raised(error)))
        if surroundings is not None:
            surroundings.restore()
        if self._chain.used_scratch:
            self._children.end_strays()
            shutil.rmtree(folder, ignore_errors=True)
        else:
            self._children.end_strays_in_time()
        return outcome

    def cancel(self, job: Job) -> None:
        if not job.cancel() and job is self._current:
            kill_marked(ROOT_MARK, self._scratch.path)  # ends the program of the point; a function cannot be ended

    def drop(self, owner: object) -> None:
        self._queue.drop(owner)

    def close(self) -> None:
        self._queue.put(None)
        self._scratch.close()
