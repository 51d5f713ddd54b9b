"""An evaluator for tests: a function decides the outcome of each point, including failures."""

from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from proposer.drive import Step, drive
from proposer.evaluation.backend import Description, Fits, anything
from proposer.evaluation.work import Received, Work
from proposer.space import Space
from proposer.strategies.base import Strategy
from proposer.types import Floats, Outcome, Status

Answers = Callable[[Floats], tuple[Any, Any, Floats]]
"""From variables, shape (n, d), to status and NLL (NaN where there is none), shape (n,) each, and observables (n, m).
"""

DESCRIPTION = Description("a test", "", "", "", {}, observables=(), concurrency=1, max_batch=1, codes=())


class Scripted:
    """An EvaluationBackend that calls a function in this process."""

    where = "a test"

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.workers = {"a test": 1}

    def describe(self, wait: float, fits: Fits = anything) -> Description:
        fits(DESCRIPTION)
        return DESCRIPTION

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        ids = work.take(len(work))
        if ids:
            status, nll, values = self._answers(np.stack([work.rows[point] for point in ids]))
            work.done(ids)
            rows = zip(ids, np.asarray(status).tolist(), np.asarray(nll).tolist(), values.tolist(), strict=True)
            yield Received(
                [Outcome(point, Status(ended), nll=loss, observables=row) for point, ended, loss, row in rows]
            )

    def wake(self) -> None:
        """Does nothing, because it never waits."""

    def points_in(self, seconds: float) -> int:
        return 1

    def cancel(self, points: Any) -> None:
        """Does nothing, because no point is ever running."""

    def finish(self) -> None:
        """Does nothing, because it has started nothing."""

    def close(self) -> None:
        """Does nothing, because it holds nothing."""


def scripted(strategy: Strategy, space: Space, answers: Answers, batches: float = np.inf) -> Iterator[Step]:
    """Drives a strategy with a scripted evaluator."""
    return drive(strategy, Scripted(answers), space, batches=batches)
