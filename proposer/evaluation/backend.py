"""The protocol for whatever evaluates the points of a scan."""

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
"""Before the name of a notebook's function among the sources; its arguments follow, if they are variables."""


@dataclass(frozen=True)
class Description:
    """What an evaluator says of itself. `parameters`: name to (low, high), in its own order.

    `codes` are in the order of an outcome's seconds; older evaluators do not name them. `sources`: what the physics
    digest was made of, each by its hash or version. `calls`: code, key and what it calls, of each code. Both are empty
    where the evaluator does not say. `longest`: seconds after which a point that has begun is answered for certain;
    infinite where it does not say. `instance`: differs from one start of an evaluator to the next; "" likewise.
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
        """Of each observable: what no loss of a finite value lies below, and none of another value."""
        likelihoods = [observable.likelihood for observable in self.observables]
        return [(each.least, each.least if each.kind is Kind.OFF else LARGEST_LOSS) for each in likelihoods]

    @property
    def digests(self) -> tuple[str, str]:
        """Of physics and likelihood: results of two evaluators belong together where these are equal."""
        return self.physics_digest, self.likelihood_digest


class Load(NamedTuple):
    """Evaluators that take part, their workers, how many of these work on a point, and points that wait for one."""

    evaluators: int
    workers: int
    busy: int
    waiting: int


Fits = Callable[[Description], None]
"""Raises where a description does not fit the scan."""


def anything(description: Description) -> None:
    """Accepts every description."""


class EvaluationBackend(Protocol):
    """Evaluates points. For one thread, but `wake`. `workers`: how many points each evaluator that takes part works on
    at once, by its address.
    """

    @property
    def workers(self) -> dict[str, int]: ...

    @property
    def where(self) -> str:
        """Where it computes, in words."""
        ...

    def describe(self, wait: float, fits: Fits = anything) -> Description:
        """What it computes; waits up to `wait` seconds for one that `fits`.

        Raises NoEvaluator where there is none in time, EvaluatorRefused where one cannot be used, and what `fits`
        raised where none does.
        """
        ...

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        """Evaluates the points of `work` and yields what comes, until none is left.

        Points may be added between two yields. From the time `until` on, of time.monotonic, only what runs is waited
        for. Raises NoEvaluator after `wait` seconds without an evaluator, and EvaluatorRefused.
        """
        ...

    def wake(self) -> None:
        """Makes `evaluate` yield soon, perhaps nothing; for any thread."""
        ...

    def cancel(self, points: Collection[int]) -> None:
        """Withdraws points: those that have not begun are given up; those that are running are still answered."""
        ...

    def points_in(self, seconds: float) -> int:
        """The number of points that keep it busy for that time."""
        ...

    def finish(self) -> None:
        """The scan is done: ends what was started for it."""
        ...

    def close(self) -> None:
        """Ends; points that are still running are cancelled."""
        ...
