"""Points that crash their whole evaluator: each is found, even if answers are lost with it, and no other point is
blamed.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.types import Outcome, Status
from proposer.wire import attendance
from proposer.wire.deaths import Deaths
from tests.evaluator.serving import wait_until
from tests.proposer.hostile import Honest, good, message
from tests.proposer.pooled import DESCRIBED, Pooled, at_once, opened, points

__all__ = ["opened"]  # a fixture


def test_a_death_is_blamed_on_the_first_point_found_to_end_evaluators() -> None:
    deaths, unanswered = Deaths(), set(range(1, 10))
    assert deaths.note([1, 2, 3, 4], unanswered, begun=[1, 2, 3]) is None
    assert deaths.suspects == {1, 2, 3, 4} and not deaths.runs_alone(3)
    unanswered -= {1}
    assert deaths.note([3], unanswered, begun=[3]) == (
        3,
        1,
    )  # point 2 comes before it, and may have caused the first death
    assert deaths.waits(3, [2]) and not deaths.waits(3, [4]) and not deaths.waits(4, [2])
    unanswered -= {2}
    assert deaths.note([3], unanswered, begun=[3]) == (3, 2)  # now the first death is explained
    assert deaths.suspects == {3}
    unanswered -= {3}
    assert deaths.note([5, 6], unanswered, begun=[5, 6]) is None
    assert deaths.note([5, 6], unanswered, begun=[5, 6]) is None
    assert deaths.suspects == {5, 6} and deaths.runs_alone(6)
    assert deaths.note([5], unanswered, begun=[5]) == (5, 3)
    assert not deaths.is_suspect(6)


def test_a_death_does_not_count_as_a_try_of_a_waiting_point() -> None:
    deaths, unanswered = Deaths(), {1, 2, 3}
    assert deaths.note([1, 2, 3], unanswered, begun=[1, 2]) is None
    unanswered -= {1, 2}
    assert deaths.is_suspect(3)  # it is a suspect nevertheless
    assert deaths.note([3], unanswered, begun=[3]) == (3, 1)
    assert deaths.note([3], unanswered, begun=[3]) == (3, 1)


class Mortal(Honest):
    """Works through its points in the order of sending, one at a time, and dies at a lethal one. Then the answers of
    the same message are lost, and another evaluator starts at its address. Notes which points it began.
    """

    def __init__(
        self, lethal: Collection[int], begun: Counter[int], group: int, *, workers: int = 1, seconds: float = 0.001
    ) -> None:
        super().__init__(at_once, {**DESCRIBED, "concurrency": workers})
        self.lethal, self.begun, self.group, self.seconds = set(lethal), begun, group, seconds
        self.instance = 1

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        answer = super().Describe(request, context)
        answer.instance = str(self.instance)
        return answer

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        for request in requests:
            ids = list(request.point_ids)
            for first in range(0, len(ids), self.group):
                group = ids[first : first + self.group]
                for point in group:
                    self.begun[point] += 1
                    if point in self.lethal:
                        self.instance += 1
                        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
                yield message(*[good(point, seconds=[self.seconds]) for point in group])


class Second(Mortal):
    """A second evaluator, which answers as soon as the first one has begun a point."""

    def __init__(self, begun: Counter[int]) -> None:
        super().__init__((), Counter(), 7)
        self.begun_before = begun

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        assert wait_until(lambda: bool(self.begun_before))
        yield from super().Evaluate(requests, context)


@pytest.mark.parametrize(
    ("evaluators", "lethal", "workers", "seconds"),
    [
        *[
            (evaluators, lethal, 1, 0.001)
            for lethal in ({30}, {20, 21, 23, 40}, set(range(10, 22)))
            for evaluators in (1, 2)
        ],
        (
            1,
            {20, 21, 40},
            4,
            0.05,
        ),  # by their times, only as many points have begun as there are workers, and then the next ones
    ],
)
def test_each_lethal_point_begins_three_times(
    opened: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    evaluators: int,
    lethal: set[int],
    workers: int,
    seconds: float,
) -> None:
    """This holds although answers to earlier points are lost, and another evaluator answers before the death is
    noticed.
    """
    monkeypatch.setattr(attendance, "SOON", 0.02)
    begun = Counter[int]()
    mortals = [Mortal(lethal, begun, group=7, workers=workers, seconds=seconds) for _ in range(evaluators)]
    pooled = Pooled(opened, *mortals)
    pooled.pool.describe(5.0)
    killed, outcomes = list[int](), list[Outcome]()
    for received in pooled.pool.evaluate(points(60), wait=5.0, until=math.inf):
        killed += received.killed
        outcomes += received.outcomes
    assert sorted(outcome.id for outcome in outcomes) == list(range(1, 61))
    assert {outcome.id for outcome in outcomes if outcome.status is Status.FAILED} == lethal
    assert Counter(killed) == dict.fromkeys(lethal, 3)
    assert {point: begun[point] for point in lethal} == dict.fromkeys(lethal, 3)
    assert max(begun[point] for point in set(range(1, 61)) - lethal) <= 2 * len(lethal)


def test_deaths_from_outside_blame_nobody(opened: ExitStack) -> None:
    """The points that were out are sent again with fewer others, and are answered."""
    left, lock = [0], threading.Lock()

    class Killed(Mortal):
        def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
            for request in requests:
                ids = list(request.point_ids)
                with lock:
                    is_killed = len(ids) > 1 and left[0] > 0
                    left[0] -= is_killed
                if is_killed:
                    self.instance += 1
                    context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
                yield message(*[good(point, seconds=[0.001]) for point in ids])

    pooled = Pooled(opened, Killed((), Counter(), 1))
    pooled.pool.describe(5.0)
    for number in range(3):
        left[0] = 1
        received = list(pooled.pool.evaluate(points(60, first=100 * number + 1), wait=5.0, until=math.inf))
        assert left == [0] and [point for part in received for point in part.killed] == []
        assert [outcome.status for some in received for outcome in some.outcomes] == [Status.OK] * 60


def test_a_slow_point_that_waited_at_one_death_survives_two_more(opened: ExitStack) -> None:
    """The evaluators are stopped from outside several times, so the point is not the cause."""
    last: list[int] = []

    class Stopped(Mortal):
        def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
            for request in requests:
                ids = list(request.point_ids)
                if (not last and len(ids) > 5) or (ids == last[:1] and len(last) < 3):
                    last.append(ids[-1])
                    self.instance += 1
                    context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
                yield message(*[good(point, seconds=[0.05]) for point in ids])

    pooled = Pooled(opened, Stopped((), Counter(), 1))
    pooled.pool.describe(5.0)
    received = list(pooled.pool.evaluate(points(60), wait=5.0, until=math.inf))
    assert len(last) == 3 and [point for part in received for point in part.killed] == last[:2]
    assert [outcome.status for part in received for outcome in part.outcomes] == [Status.OK] * 60


def test_an_evaluator_that_dies_too_often_is_given_up_and_blames_no_point(opened: ExitStack) -> None:
    """A broken evaluator dies at any point, and a working one has no trouble with the same points."""
    begun = Counter[int]()
    pooled = Pooled(opened, Mortal(range(1000), begun, 1), Second(begun))
    outcomes = pooled.evaluate(points(200), seconds=math.inf)
    assert [outcome.status for outcome in outcomes] == [Status.OK] * 200
    assert max(begun.values()) <= 2
