"""Evaluates points by a function in this process instead of an evaluator, for benchmarks, tests and notebooks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Generator, Sequence
from typing import NamedTuple

import numpy as np

from proposer.evaluation.backend import Description, Fits, anything
from proposer.evaluation.work import Received, Work
from proposer.types import Floats, Observable, Outcome, Status
from scanspec.likelihoods import losses_and_nll

AT_ONCE = 1024
"""The most points in one call of the function."""

BACKEND = "a function"


class Answers(NamedTuple):
    """The answers for n points: observables, shape (n, m); NLL, shape (n,), NaN where a point is INVALID; and losses,
    shape (n, m), or None.
    """

    observables: Floats
    nll: Floats
    losses: Floats | None = None


Function = Callable[[Floats], Answers]
"""Takes the values of the variables, shape (n, d)."""


def score(values: Floats, observables: Sequence[Observable]) -> Answers:
    """The losses of observables with these `values`, shape (n, m), and the NLL, NaN where a value is outside its
    window.
    """
    losses, nll = losses_and_nll([observable.likelihood for observable in observables], values)
    for column, observable in enumerate(observables):
        if observable.valid is not None:
            inside = (values[:, column] >= observable.valid[0]) & (values[:, column] <= observable.valid[1])
            nll = np.where(inside, nll, np.nan)
    return Answers(values, nll, losses)


class LocalFunction:
    """Evaluates points by a function in this process. `ranges`: (low, high) of its variables, in the order of its
    columns.

    `observables`: the observables that the function returns.
    """

    def __init__(
        self, function: Function, ranges: dict[str, tuple[float, float]], observables: Sequence[Observable] = ()
    ) -> None:
        self._function, self._ranges, self._observables = function, dict(ranges), tuple(observables)
        self.workers = {BACKEND: 1}
        self._seconds = math.nan  # of a point
        self._work: Work | None = None
        self.where = "this process"

    def describe(self, wait: float, fits: Fits = anything) -> Description:
        """Describes the function."""
        found = Description(
            backend=BACKEND,
            version="",
            physics_digest="",
            likelihood_digest="",
            parameters=dict(self._ranges),
            observables=self._observables,
            concurrency=1,
            max_batch=AT_ONCE,
            codes=("function",),
        )
        fits(found)
        return found

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        """Calls the function for the waiting points, AT_ONCE at a time."""
        self._work = work
        columns = [work.names.index(name) for name in self._ranges]
        while work.rows:
            if time.monotonic() >= until:
                self.cancel(list(work.rows))
                return
            ids = work.take(AT_ONCE)
            start, sent = time.monotonic(), time.time()
            answers = self._function(np.array([work.rows[point] for point in ids])[:, columns])
            self._seconds = (time.monotonic() - start) / len(ids)
            work.done(ids)
            yield Received(self._outcomes(ids, answers, sent))

    def _outcomes(self, ids: list[int], answers: Answers, sent: float) -> list[Outcome]:
        losses = [()] * len(ids) if answers.losses is None else answers.losses.tolist()
        rows = zip(ids, answers.nll.tolist(), answers.observables.tolist(), losses, strict=True)
        seconds, now = [self._seconds], time.time()
        return [
            Outcome(
                id=point,
                status=Status.INVALID if math.isnan(nll) else Status.OK,
                nll=None if math.isnan(nll) else nll,
                observables=values,
                losses=() if math.isnan(nll) else lost,
                seconds=seconds,
                evaluator=BACKEND,
                sent=sent,
                begun=sent,
                returned=now,
            )
            for point, nll, values, lost in rows
        ]

    def wake(self) -> None:
        """Does nothing, because `evaluate` never waits."""

    def cancel(self, points: Collection[int]) -> None:
        """Gives up the points that wait; no point runs while this is called."""
        if self._work is not None:
            self._work.give_up_waiting(points)

    def points_in(self, seconds: float) -> int:
        """The number of points that keep the function busy for `seconds`."""
        return AT_ONCE if math.isnan(self._seconds) else math.ceil(min(seconds / max(self._seconds, 1e-6), 100_000) + 1)

    def finish(self) -> None:
        """Does nothing, because nothing was started."""

    def close(self) -> None:
        """Does nothing, because nothing was opened."""
