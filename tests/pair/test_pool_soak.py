"""Many points through evaluators that come and go: each is answered once, and memory does not grow on either side."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from proposer.evaluation.work import Work
from proposer.types import Pending, Status
from proposer.wire.pool import Pool
from tests.evaluator.serving import resident
from tests.pair.conftest import EvaluatorProcess, ScanFolder
from tests.pair.processes import meanwhile

AT_ONCE = 10_000
EVERY = 1.0
"""Seconds between two kills."""


@contextmanager
def coming_and_going(evaluators: list[EvaluatorProcess]) -> Iterator[list[str]]:
    """Kills one evaluator after the other and restarts it at the same address; gives the addresses of those that were
    killed.
    """
    killed: list[str] = []

    def kill(ended: threading.Event) -> None:
        for evaluator in itertools.cycle(evaluators):
            if ended.wait(EVERY):
                return
            evaluator.kill()
            killed.append(evaluator.address)
            evaluator.restart()

    with meanwhile(kill):
        yield killed


@pytest.mark.parametrize(
    ("number", "total"),
    [
        pytest.param(4, 100_000, marks=pytest.mark.slow),
        pytest.param(16, 1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)]),
    ],
)
def test_many_points_through_evaluators_that_come_and_go(
    make_scan: Callable[..., ScanFolder], start_evaluator: Callable[..., EvaluatorProcess], number: int, total: int
) -> None:
    scan = make_scan(body="")
    (scan.folder / "physics.py").write_text("def observables(point):\n    return {'r': point['x']}\n")
    evaluators = [start_evaluator(scan.file, workers=0) for _ in range(number)]
    pool = Pool([evaluator.address for evaluator in evaluators], say=lambda _: None)
    pool.describe(60.0)
    answered, memory, rng = 0, list[tuple[float, float]](), np.random.default_rng(1)
    with coming_and_going(evaluators[1:]) as killed:  # the first one stays, so that its memory can be measured
        for first in range(1, total, AT_ONCE):
            work = Work(["x", "y", "z"])
            values = rng.uniform((0, -2, 10), (1, 2, 1000), (AT_ONCE, 3))
            work.add(Pending(np.arange(first, first + AT_ONCE), values, np.zeros(AT_ONCE, np.int64)), AT_ONCE)
            ids = set[int]()
            for received in pool.evaluate(work, wait=60.0, until=math.inf):
                assert {outcome.status for outcome in received.outcomes} <= {Status.OK}
                assert ids.isdisjoint(outcome.id for outcome in received.outcomes)
                ids.update(outcome.id for outcome in received.outcomes)
            answered += len(ids)
            memory.append((resident(), resident(evaluators[0].process.pid)))
    pool.close()
    assert answered == total and killed
    part = len(memory) // 5
    early, late = np.array(memory[part : 2 * part]).max(axis=0), np.array(memory[-part:]).max(axis=0)
    print(f"{total:,} points, {len(killed)} kills; MiB of proposer and evaluator: {early.round()}, late {late.round()}")
    assert (late <= 1.1 * early + 5.0).all(), (early, late)
