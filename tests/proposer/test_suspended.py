"""A scan that was suspended, or was busy elsewhere, takes the answers that have come in before it gives points up."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.work import Received
from proposer.types import Status
from proposer.wire import patience
from tests.evaluator.serving import wait_until
from tests.proposer.hostile import Honest, good
from tests.proposer.pooled import DESCRIBED, Pooled, opened, points

__all__ = ["opened"]  # a fixture


class Held(Pooled):
    """A pool whose evaluator keeps its answer until `let_go`, and has been asked for one point."""

    def __init__(self, opened: ExitStack) -> None:
        self.let_go, began = threading.Event(), threading.Event()
        opened.callback(self.let_go.set)

        def held(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
            began.set()
            self.let_go.wait(60.0)
            yield pb.EvaluateResponse(results=[good(point, seconds=[0.01]) for point in ids])

        super().__init__(opened, Honest(held, {**DESCRIBED, "longest_seconds": 1.0}))
        self.pool.describe(20.0)
        self.results = self.pool.evaluate(points(1), wait=20.0, until=math.inf)
        while not began.wait(0.01):
            self.go_on()

    def go_on(self) -> Received:
        """One pass of the pool's loop at least."""
        self.pool.wake()
        return next(self.results)

    def is_answered_once(self, *before: Received) -> bool:
        received = [*before, *self.results]
        outcomes = [outcome for some in received for outcome in some.outcomes]
        assert [(outcome.id, outcome.status) for outcome in outcomes] == [(1, Status.OK)]
        assert not any(some.killed for some in received) and not self.said
        return self.servicers[0].asked == [1]


def test_no_point_is_late_because_the_scan_was_suspended(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock jumps, as it does for a process that was stopped."""
    held = Held(opened)
    real, jump = time.monotonic, 0.0
    monkeypatch.setattr(time, "monotonic", lambda: real() + jump)
    before = []
    for _ in range(4):  # one suspension after the other
        jump += 100_000.0
        before.append(held.go_on())
    held.let_go.set()
    assert held.is_answered_once(*before)


def test_an_answer_that_is_there_counts_before_its_point_is_late(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(opened)
    held.let_go.set()
    assert wait_until(lambda: held.pool._events.qsize() > 0)  # noqa: SLF001  # nobody has looked at it yet
    monkeypatch.setattr(patience, "GRACE", -1e9)  # as if the scan had been busy for long
    assert held.is_answered_once()
