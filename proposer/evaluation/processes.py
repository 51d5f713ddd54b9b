"""Evaluates points by a Python function in worker processes of this machine, for notebooks."""

from __future__ import annotations

import hashlib
import math
import queue
import re
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future

import cloudpickle
import numpy as np
from loky import ProcessPoolExecutor

from proposer.evaluation.backend import FUNCTION, Description, EvaluatorRefused, Fits, anything
from proposer.evaluation.digest import digest_of
from proposer.evaluation.local import score
from proposer.evaluation.work import Received, Work
from proposer.evaluation.worker import Answer, children_without_interrupts, compute, start
from proposer.signals import uninterrupted
from proposer.types import Observable, Outcome, Status
from scanspec import UsageError
from scanspec.arguments import of_a_point, why_not_called
from scanspec.observables import outside
from scanspec.raised import what_was_raised

Code = Callable[..., Mapping[str, float] | None]
"""A user's function. It takes a point (a mapping of variables by name), or two or more arguments named like variables.
It returns observables by name, or None for an unphysical point.
"""

AT_ONCE = 0.1
"""The approximate time in seconds for the points of one task."""

MOST_AT_ONCE = 256
"""The most points of a task."""

ARGUMENTS = "give a function of one argument, the point, or with the variables as its arguments"

_Done = Future[list[Answer]]


class LocalProcesses:
    """Evaluates points by a function in `workers` processes. `name`: the function's name in messages.

    A point is INVALID if the function raises an InvalidPoint, and FAILED if it raises anything else. If a process dies,
    its points run again, one at a time, and the point that kills its process again is FAILED. There is no time limit:
    the scan waits for a point that hangs.

    Raises UsageError for a function that cannot be pickled or called with a point, and for fewer than one worker.
    """

    def __init__(
        self,
        code: Code,
        name: str,
        ranges: Mapping[str, tuple[float, float]],
        observables: Sequence[Observable],
        workers: int,
    ) -> None:
        if workers < 1:
            raise UsageError(
                f"there cannot be {workers} workers", next_step="give 1 or more, or leave it out for one per core"
            )
        if why := why_not_called(code, ranges):
            raise UsageError(f"the function {name!r} cannot be called: {why}", next_step=ARGUMENTS)
        self._code, self._name = _pickled(code, name), name
        self._digest = digest_of(code)
        self._ranges, self._observables = dict(ranges), tuple(observables)
        self._arguments = "" if of_a_point(code, self._ranges) is code else f"({', '.join(self._ranges)})"
        self._count = workers
        self.where = f"{workers} processes of this machine" if workers > 1 else "a process of this machine"
        self.workers = {name: workers}
        self._pool: ProcessPoolExecutor | None = None
        self._events: queue.SimpleQueue[_Done | None] = queue.SimpleQueue()
        self._out: dict[_Done, list[int]] = {}
        self._suspects: set[int] = set()
        self._sent: dict[int, float] = {}
        self._seconds = math.nan  # of a point
        self._work: Work | None = None

    def describe(self, wait: float, fits: Fits = anything) -> Description:
        """The description of the function. The physics digest covers the function and the values that it uses."""
        likelihoods = repr(
            [(observable.name, observable.valid, observable.likelihood) for observable in self._observables]
        )
        found = Description(
            backend=self._name,
            version="",
            physics_digest=self._digest,
            likelihood_digest=hashlib.sha256(likelihoods.encode()).hexdigest(),
            parameters=dict(self._ranges),
            observables=self._observables,
            concurrency=self._count,
            max_batch=MOST_AT_ONCE,
            codes=(self._name,),
            sources={f"{FUNCTION}{self._name}{self._arguments}": self._digest},
        )
        fits(found)
        return found

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        """Keeps the workers busy and yields their results. After `until`, it only waits for points that run."""
        self._work = work
        while work.rows:
            now = time.monotonic()
            if now >= until:
                work.give_up_waiting(list(work.rows))
                if not self._out:
                    return
            else:
                self._hand_out(work)
            try:
                done = self._events.get(timeout=min(until - now, threading.TIMEOUT_MAX) if now < until else None)
            except queue.Empty:
                continue
            yield Received() if done is None else Received(self._take_up(work, done))

    def _hand_out(self, work: Work) -> None:
        """Submits two tasks per worker, so that a worker never waits for the next one."""
        while work.waiting and len(self._out) < 2 * self._count:
            alone = work.waiting[0] in self._suspects
            if self._out and (alone or any(self._suspects.intersection(ids) for ids in self._out.values())):
                return
            ids = work.take(1 if alone else self._points_a_task())
            columns = [work.names.index(name) for name in self._ranges]
            rows = [[work.rows[point][column] for column in columns] for point in ids]
            self._sent |= dict.fromkeys(ids, time.time())
            observables = [observable.name for observable in self._observables]
            pool = self._executor()
            with uninterrupted(), children_without_interrupts():
                task = pool.submit(compute, self._code, list(self._ranges), observables, rows)
            self._out[task] = ids
            task.add_done_callback(self._events.put)

    def _points_a_task(self) -> int:
        return 1 if math.isnan(self._seconds) else int(np.clip(AT_ONCE / max(self._seconds, 1e-6), 1, MOST_AT_ONCE))

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._count, initializer=start)
        return self._pool

    def _take_up(self, work: Work, done: _Done) -> list[Outcome]:
        ids = self._out.pop(done)
        try:
            answers = done.result()
        except BrokenExecutor as error:
            self._pool = None
            if self._suspects.issuperset(ids) and len(ids) == 1:
                return self._outcomes(work, ids, [Answer(None, _how_it_died(error), "", math.nan, math.nan)])
            self._suspects.update(ids)
            work.put_back(ids)
            return []
        except Exception as error:
            raise EvaluatorRefused(
                f"the function {self._name!r} cannot be called in another process: {type(error).__name__}: {error}",
                next_step="define it in the notebook, or in a module that can be imported",
            ) from error
        mean = sum(answer.seconds for answer in answers) / len(answers)
        self._seconds = mean if math.isnan(self._seconds) else 0.8 * self._seconds + 0.2 * mean
        return self._outcomes(work, ids, answers)

    def _outcomes(self, work: Work, ids: list[int], answers: list[Answer]) -> list[Outcome]:
        work.done(ids)
        self._suspects.difference_update(ids)
        nothing = [math.nan] * len(self._observables)
        values = np.array([one.observables or nothing for one in answers], dtype=np.float64)
        scored = score(values.reshape(len(ids), len(self._observables)), self._observables)
        found = []
        for row, (point, answer) in enumerate(zip(ids, answers, strict=True)):
            ok = answer.observables is not None and not math.isnan(scored.nll[row])
            found.append(
                Outcome(
                    id=point,
                    status=Status.FAILED if answer.error else Status.OK if ok else Status.INVALID,
                    nll=float(scored.nll[row]) if ok else None,
                    observables=answer.observables or (),
                    losses=scored.losses[row].tolist() if ok and scored.losses is not None else (),
                    seconds=[answer.seconds],
                    failed_code="" if ok else self._name,
                    message=answer.error or answer.message or self._left_window(answer),
                    evaluator=self._name,
                    sent=self._sent.pop(point),
                    begun=answer.begun,
                    returned=time.time(),
                )
            )
        return found

    def _left_window(self, answer: Answer) -> str:
        found = zip(self._observables, answer.observables or (), strict=False)
        return next((text for one, value in found if (text := outside(one.name, value, one.valid))), "")

    def wake(self) -> None:
        """Makes `evaluate` yield soon."""
        self._events.put(None)

    def cancel(self, points: Collection[int]) -> None:
        """Gives up the points that wait. Points that a worker has are still answered."""
        if self._work is not None:
            self._work.give_up_waiting(points)

    def points_in(self, seconds: float) -> int:
        """The number of points that keep the workers busy for `seconds`."""
        if math.isnan(self._seconds):
            return 2 * self._count
        return math.ceil(min(self._count * (seconds / max(self._seconds, 1e-6) + 1), 100_000))

    def finish(self) -> None:
        """Ends the workers."""
        self.close()

    def close(self) -> None:
        """Ends the workers, whatever they are doing."""
        if self._pool is not None:
            self._pool.shutdown(kill_workers=True)
            self._pool = None


def _pickled(code: Code, name: str) -> bytes:
    try:
        pickled: bytes = cloudpickle.dumps(code)
    except Exception as error:  # pickling calls methods of the user's values
        raise UsageError(
            f"the function {name!r} cannot be sent to another process: {what_was_raised(error)}",
            next_step="open files, locks, connections and the like within the function, not before it",
        ) from error
    return pickled


def _how_it_died(error: BrokenExecutor) -> str:
    signals = re.search(r"\{(.*)\}", str(error))
    return f"its process died ({signals[1]})" if signals else "its process died"
