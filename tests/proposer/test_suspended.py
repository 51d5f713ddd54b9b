"""A scan that was suspended, or was busy elsewhere, takes the answers that have come in before it gives points up. It
does not wait for a suspended evaluator whose points are not needed any more.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.work import Received
from proposer.types import Status
from proposer.wire import asking, patience, pool, remote
from tests.evaluator.serving import wait_until
from tests.proposer.hostile import Honest, good
from tests.proposer.pooled import DESCRIBED, Pooled, opened, points

__all__ = ["opened"]  # a fixture


class Suspendable(Honest):
    """An evaluator that describes itself only while `awake` is set."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.awake = threading.Event()
        self.awake.set()
        self.described_times = 0

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        self.described_times += 1
        self.awake.wait(60.0)
        return super().Describe(request, context)


class Held(Pooled):
    """A pool whose evaluator keeps its answer until `let_go`, and has been asked for one point."""

    def __init__(self, opened: ExitStack) -> None:
        self.let_go, began = threading.Event(), threading.Event()

        def held(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
            began.set()
            self.let_go.wait(60.0)
            yield pb.EvaluateResponse(results=[good(point, seconds=[0.01]) for point in ids])

        self.evaluator = Suspendable(held, {**DESCRIBED, "longest_seconds": 1.0})
        super().__init__(opened, self.evaluator)
        opened.callback(self.let_go.set)
        opened.callback(self.evaluator.awake.set)
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


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign of life must come within 0.2 s."""
    for module in (asking, pool, remote):
        monkeypatch.setattr(module, "SIGN_OF_LIFE", 0.2)


@pytest.mark.usefixtures("soon")
def test_a_point_that_is_not_needed_is_not_waited_for_if_its_evaluator_is_suspended(opened: ExitStack) -> None:
    held = Held(opened)
    held.evaluator.awake.clear()
    held.pool.cancel([1])
    start = time.monotonic()
    received = [*held.results]
    assert time.monotonic() - start < 20.0  # and not a minute, after which a dead connection breaks
    assert not any(some.outcomes or some.killed for some in received)
    assert len(held.said_of("no longer waiting for point 1; sent again if the run goes on")) == 1
    held.pool.finish()  # it does not wait either


@pytest.mark.usefixtures("soon")
def test_a_point_that_is_not_needed_is_waited_for_while_its_evaluator_is_there(opened: ExitStack) -> None:
    held = Held(opened)
    before = held.evaluator.described_times
    held.pool.cancel([1])
    received = [held.go_on()]
    while held.evaluator.described_times < before + 4:  # it is asked again and again
        received.append(next(held.results))
    held.let_go.set()
    assert held.is_answered_once(*received)


@pytest.mark.usefixtures("soon")
def test_a_point_that_is_needed_waits_for_a_suspended_evaluator(opened: ExitStack) -> None:
    held = Held(opened)
    held.evaluator.awake.clear()
    end = time.monotonic() + 1.0
    received = []
    while time.monotonic() < end:
        received.append(held.go_on())
    held.let_go.set()
    assert held.is_answered_once(*received)
