"""Points that two evaluators work on, that are asked back or killed meanwhile: real servers that answer in a fixed
order.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.types import Outcome, Status
from proposer.wire import hand_out
from tests.proposer.hostile import Honest, good, message
from tests.proposer.pooled import DESCRIBED, Pooled, at_once, opened, points

__all__ = ["opened"]  # a fixture


def returned(point: int) -> pb.Result:
    return pb.Result(point_id=point, status=pb.STATUS_CANCELLED)


def killed(point: int) -> pb.Result:
    return good(point, status=pb.STATUS_KILLED)


MANY = 50


class Telling(Honest):
    """Answers all points except those in `held` at once, and returns points that are asked back. `tell` sends other
    answers. `many` is set once more than MANY points are held; without `may_answer`, it waits.
    """

    def __init__(self, *held: int, **described: Any) -> None:
        super().__init__(at_once, {**DESCRIBED, **described})
        self.held, self.holds, self.is_to_return = set(held), threading.Event(), threading.Event()
        self.asked_back: list[list[int]] = []
        self.many, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        self.answers: queue.SimpleQueue[tuple[pb.Result, ...] | None] = queue.SimpleQueue()

    def tell(self, *results: pb.Result) -> None:
        self.answers.put(results)

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()
        context.add_callback(lambda: self.answers.put(None))
        for results in iter(self.answers.get, None):
            yield message(*results)

    def _read(self, requests: Any) -> None:
        with contextlib.suppress(grpc.RpcError):  # the client may end the stream
            for request in requests:
                self.asked += request.point_ids
                self.may_answer.wait(10)
                if quick := [point for point in request.point_ids if point not in self.held]:
                    self.tell(*[good(point, seconds=[0.01]) for point in quick])
                if self.held.intersection(request.point_ids):
                    self.holds.set()
                if len(self.held.intersection(self.asked)) > MANY:
                    self.many.set()
                if request.cancel_point_ids:
                    self.asked_back.append(list(request.cancel_point_ids))
                    self.tell(*map(returned, request.cancel_point_ids))
                if request.return_waiting:
                    self.is_to_return.set()


@pytest.fixture
def raced(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Pooled:
    """Two evaluators that both hold point 1: it takes so long that the second one gets it too."""
    monkeypatch.setattr(hand_out, "LEAST", 0.1)
    pooled = Pooled(opened, Telling(1), Telling(1))
    pooled.pool.describe(5.0)
    return pooled


def test_a_raced_point_that_is_killed_at_one_is_left_to_the_other(raced: Pooled) -> None:
    one, other = raced.servicers
    assert isinstance(one, Telling) and isinstance(other, Telling)
    told = False
    times_killed, outcomes = list[int](), dict[int, Outcome]()
    for received in raced.pool.evaluate(points(20), wait=5.0, until=math.inf):
        times_killed += received.killed
        outcomes |= {outcome.id: outcome for outcome in received.outcomes}
        if received.killed:
            other.tell(good(1))
        elif one.holds.is_set() and other.holds.is_set() and not told:
            told = True
            one.tell(killed(1))
    raced.evaluate(points(20, first=100))  # now each has read everything that was sent before
    assert [evaluator.asked.count(1) for evaluator in (one, other)] == [1, 1]
    assert times_killed == [1] and len(outcomes) == 20
    assert (outcomes[1].status, outcomes[1].evaluator) == (Status.OK, raced.addresses[1])


def test_a_raced_point_that_one_returns_is_still_taken_from_the_other(raced: Pooled) -> None:
    """The point was asked back from both, but a running point is still answered."""
    one, other = raced.servicers
    assert isinstance(one, Telling) and isinstance(other, Telling)
    work, outcomes, asked_back, told = points(20), list[int](), False, False
    for received in raced.pool.evaluate(work, wait=5.0, until=math.inf):
        outcomes += [outcome.id for outcome in received.outcomes]
        if one.holds.is_set() and other.holds.is_set() and list(work.rows) == [1] and not asked_back:
            asked_back = True
            raced.pool.cancel([1])
            assert one.is_to_return.wait(10)
            one.tell(
                returned(1), good(10**6)
            )  # nobody asked for this point: the message about it shows that the first answer was processed
        if raced.said_of("(point 1000000)") and not told:
            told = True
            other.tell(good(1))
    assert sorted(outcomes) == list(range(1, 21))


def test_points_no_longer_wanted_are_returned_but_running_ones_are_not_killed(opened: ExitStack) -> None:
    """A worker may have several quick points, and only the evaluator knows which of them run. The others come back."""
    evaluator = Telling(*range(101, 106), concurrency=1)
    pooled = Pooled(opened, evaluator)
    assert len(pooled.evaluate(points(20))) == 20
    work = points(5, first=101)
    results = pooled.pool.evaluate(work, wait=5.0, until=math.inf)
    pooled.pool.wake()
    next(results)
    assert evaluator.holds.wait(10)
    pooled.pool.cancel([104, 105])
    assert evaluator.is_to_return.wait(10) and evaluator.asked_back == []
    evaluator.held.clear()  # points that are sent again are answered
    evaluator.tell(good(101), returned(103), good(104), returned(105), good(102))
    assert sorted(outcome.id for received in results for outcome in received.outcomes) == [101, 102, 103, 104]
    assert [evaluator.asked.count(point) for point in range(101, 106)] == [1, 1, 2, 1, 1]
    assert [outcome.id for outcome in pooled.evaluate(points(2, first=200))] == [200, 201]


def test_a_killed_point_that_is_no_longer_wanted_is_not_sent_again(opened: ExitStack) -> None:
    evaluator = Telling(1)
    pooled = Pooled(opened, evaluator)
    pooled.pool.describe(5.0)
    pooled.pool.wake()
    results = pooled.pool.evaluate(points(1), wait=5.0, until=math.inf)
    next(results)
    assert evaluator.holds.wait(10)
    pooled.pool.cancel([1])
    evaluator.held.clear()  # if it were sent again, it would be answered
    evaluator.tell(killed(1))
    received = list(results)
    assert [point for part in received for point in part.killed] == [1]
    assert [outcome for part in received for outcome in part.outcomes] == []
    assert [outcome.id for outcome in pooled.evaluate(points(2, first=10))] == [10, 11]
    assert evaluator.asked == [1, 10, 11]


def test_no_point_begins_after_the_end_of_the_time(opened: ExitStack) -> None:
    """Neither waiting points nor points that are killed then begin."""
    evaluator = Telling(1, concurrency=1)
    pooled = Pooled(opened, evaluator)
    pooled.pool.describe(5.0)

    def kill_it() -> None:
        if evaluator.is_to_return.wait(10):
            evaluator.held.clear()
            evaluator.tell(killed(1))

    killer = threading.Thread(target=kill_it)
    killer.start()
    received = list(pooled.pool.evaluate(points(5), wait=5.0, until=time.monotonic() + 1.0))
    killer.join()
    assert [point for part in received for point in part.killed] == [1]
    assert [outcome for some in received for outcome in some.outcomes] == []
    assert [outcome.id for outcome in pooled.evaluate(points(2, first=10))] == [10, 11]
    assert evaluator.asked == [1, 10, 11]


def test_many_points_are_asked_back_in_messages_of_the_allowed_size(opened: ExitStack) -> None:
    """The points of one evaluator take longer now, so they are asked back for another one that is idle."""
    slower = Telling(*range(3, 401), concurrency=1, max_batch=5)
    other = Telling(concurrency=1, max_batch=5)
    other.may_answer = slower.many  # otherwise it may take nearly all points before the slower one has its share
    pooled = Pooled(opened, slower, other)
    pooled.pool.describe(5.0)
    outcomes, held, still = list[int](), list[int](), list[int]()
    for received in pooled.pool.evaluate(points(400), wait=5.0, until=math.inf):
        outcomes += [outcome.id for outcome in received.outcomes]
        if not held and len(outcomes) + len(slower.held.intersection(slower.asked)) == 400:
            held = [point for point in slower.asked if point in slower.held]
            slower.held.clear()  # points that are sent again are answered
            slower.tell(good(held[0], seconds=[1.0]))
        elif held and not still and sum(map(len, slower.asked_back)) == len(held) - 3:
            still = held[1:3]  # these are a second of work
            slower.tell(*map(good, still))
    assert sorted(outcomes) == list(range(1, 401))
    assert [point for request in slower.asked_back for point in request] == held[3:] and len(held) > MANY
    assert {len(request) for request in slower.asked_back[:-1]} == {5}
