"""The protocol of what evaluates the points of a scan."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from proposer.evaluation.work import Received, Work
from proposer.types import Observable
from scanspec import Kind, LodescanError
from scanspec.likelihoods import LARGEST_LOSS


class NoEvaluator(LodescanError, RuntimeError):
    """No evaluator answered in time; the run can go on later."""

    exit_code = 3


class EvaluatorRefused(LodescanError, RuntimeError):
    """The evaluator answers, but cannot serve this scan; the message says why."""

    next_step = "start an evaluator of this version with the same scan file: `lodescan-evaluator serve FILE`"


FUNCTION = "the function "
"""The prefix of a notebook's function among the sources. Its name follows, and its arguments if they are variables."""


@dataclass(frozen=True)
class Description:
    """An evaluator's description of itself. `parameters` maps names to (low, high), in the evaluator's order.

    `codes` are in the order of an outcome's seconds; older evaluators do not name them. `sources` are the parts of the
    physics digest, each with its hash or version. `calls` has (code, key of the scan file, name of what it calls) for
    each code. `longest` is the longest time in seconds from the beginning of a point to its answer. `instance` differs
    from one start of an evaluator to the next. Where the evaluator does not say, these are empty, and `longest` is
    infinite.
    """

    backend: str
    version: str
    physics_digest: str
    likelihood_digest: str
    parameters: dict[str, tuple[float, float]]
    observables: tuple[Observable, ...]
    concurrency: int
    max_batch: int
    codes: tuple[str, ...]
    sources: dict[str, str] = field(default_factory=dict)
    calls: tuple[tuple[str, str, str], ...] = ()
    longest: float = math.inf
    instance: str = ""

    @cached_property
    def least_losses(self) -> list[tuple[float, float]]:
        """For each observable, the lowest loss of a finite value, and the lowest loss of any other value."""
        likelihoods = [observable.likelihood for observable in self.observables]
        return [
            (likelihood.least, likelihood.least if likelihood.kind is Kind.OFF else LARGEST_LOSS)
            for likelihood in likelihoods
        ]

    @property
    def digests(self) -> tuple[str, str]:
        """The digests of physics and likelihood. Results of two evaluators belong together if these are equal."""
        return self.physics_digest, self.likelihood_digest


class Load(NamedTuple):
    """The numbers of evaluators that take part, of their workers, of busy workers, and of points that wait for a
    worker.
    """

    evaluators: int
    workers: int
    busy: int
    waiting: int


Fits = Callable[[Description], None]
"""Raises an error if a description does not fit the scan."""


def anything(description: Description) -> None:
    """Accepts every description."""


class EvaluationBackend(Protocol):
    """Evaluates points. Not thread-safe, except `wake`. `workers`: how many points each evaluator works on at once, by
    address.
    """

    @property
    def workers(self) -> dict[str, int]: ...

    @property
    def where(self) -> str:
        """The place of the computation, in words."""
        ...

    def describe(self, wait: float, fits: Fits = anything) -> Description:
        """The description of the first evaluator that `fits`; waits up to `wait` seconds for it.

        Raises NoEvaluator if none answers in time, EvaluatorRefused if none can be used, and the error of `fits` if
        none fits.
        """
        ...

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        """Evaluates the points of `work` and yields results as they arrive, until no point is left.

        Points may be added between two yields. After `until`, a time of time.monotonic, it only waits for points that
        run. Raises NoEvaluator after `wait` seconds without an evaluator, and EvaluatorRefused.
        """
        ...

    def wake(self) -> None:
        """Makes `evaluate` yield soon, perhaps without results; callable from any thread."""
        ...

    def cancel(self, points: Collection[int]) -> None:
        """Withdraws points. Points that have not begun are given up; points that run are still answered."""
        ...

    def points_in(self, seconds: float) -> int:
        """The number of points that keep the workers busy for `seconds`."""
        ...

    def finish(self) -> None:
        """Ends what was started for the scan, because the scan is finished."""
        ...

    def close(self) -> None:
        """Ends the backend; points that still run are cancelled."""
        ...
