"""Drives a strategy without a run's folder, for benchmarks, tests and notebooks.

A scan does the same, but stores every step.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from proposer.evaluation.backend import EvaluationBackend
from proposer.evaluation.work import Work
from proposer.keys import KeySet, row_keys
from proposer.space import Space
from proposer.stopping import MOST_REPEATS
from proposer.strategies.base import Strategy
from proposer.types import Outcome, Pending, Status, Told


class Step(NamedTuple):
    """An answered batch, and the CPU seconds that the strategy's `ask` took."""

    told: Told
    seconds: float


def drive(
    strategy: Strategy, backend: EvaluationBackend, space: Space, *, batches: float = math.inf, wait: float = 60.0
) -> Iterator[Step]:
    """Asks and tells until the strategy is done, or `batches` batches were asked for. Yields each batch once it is
    answered.

    As in a scan, an ask sees all batches except the last ones, as many as the strategy's lag, and repeated points are
    left out.
    """
    backend.describe(wait)
    seen, waiting, work = KeySet(), deque[Told](), Work(space.names)
    asked = number = repeats = 0
    while number < batches and repeats < MOST_REPEATS:
        start = time.process_time()
        batch = strategy.ask()
        seconds = time.process_time() - start
        if batch is None:
            break
        number += 1
        params = space.to_physical(batch.u)
        keys = row_keys(params)
        kept = seen.first_of_each(keys)
        seen.add(keys[kept])
        ids = np.arange(asked + 1, asked + 1 + int(kept.sum()))
        repeats, asked = 0 if len(ids) else repeats + 1, asked + len(ids)
        work.add(Pending(ids, params[kept], np.zeros_like(ids)), len(ids))
        outcomes = [
            outcome for received in backend.evaluate(work, wait=wait, until=math.inf) for outcome in received.outcomes
        ]
        told = _told(sorted(outcomes, key=lambda outcome: outcome.id), batch.u[kept], batch.where(kept).origins, number)
        waiting.append(told)
        while len(waiting) > strategy.lag:
            strategy.tell(waiting.popleft())
        yield Step(told, seconds)


def _told(outcomes: list[Outcome], u: np.ndarray, origins: Sequence[str], number: int) -> Told:
    width = max((len(outcome.observables) for outcome in outcomes), default=0)
    nothing = [math.nan] * width
    observables = [outcome.observables if len(outcome.observables) == width else nothing for outcome in outcomes]
    return Told(
        ids=np.array([outcome.id for outcome in outcomes], dtype=np.int64),
        u=u,
        status=np.array([outcome.status for outcome in outcomes], dtype=np.int8),
        nll=np.array(
            [math.nan if outcome.nll is None or outcome.status != Status.OK else outcome.nll for outcome in outcomes],
            dtype=np.float64,
        ),
        observables=np.array(observables, dtype=np.float64).reshape(len(outcomes), width),
        origins=origins,
        batches=np.full(len(outcomes), number, dtype=np.int64),
    )
