"""Evaluators whose workers have slow points, with real servers: other evaluators get what waits behind those points."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any, cast

import grpc
import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.wire.elapsed import elapsed
from proposer.wire.hand_out import slow_points, slow_since
from proposer.wire.remote import Link
from proposer.wire.under_way import UnderWay
from scanspec import read_address
from tests.proposer.hostile import Honest, good, message
from tests.proposer.pooled import DESCRIBED, Pooled, at_once, opened, points

__all__ = ["opened"]  # a fixture


class OneByOne(Honest):
    """Works through its points one at a time, each for `seconds_of` its id, and returns waiting points at once when
    they are asked back.
    """

    def __init__(self, seconds_of: Callable[[int], float]) -> None:
        super().__init__(at_once, {**DESCRIBED, "concurrency": 1})
        self.seconds_of, self.begun, self.waiting = seconds_of, Counter[int](), dict[int, None]()
        self.there, self.lock = threading.Semaphore(0), threading.Lock()
        self.answers = queue.SimpleQueue[pb.Result | None]()

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        for work in (self._read, self._work):
            threading.Thread(target=work, args=(requests,), daemon=True).start()
        context.add_callback(lambda: self.answers.put(None))
        for answer in iter(self.answers.get, None):
            yield message(answer)

    def _read(self, requests: Any) -> None:
        with contextlib.suppress(grpc.RpcError):  # the client may end the stream
            for request in requests:
                with self.lock:
                    back = [point for point in request.cancel_point_ids if point in self.waiting]
                    for point in back:
                        del self.waiting[point]
                        self.answers.put(pb.Result(point_id=point, status=pb.STATUS_CANCELLED))
                    self.waiting.update(dict.fromkeys(request.point_ids))
                for _ in request.point_ids:
                    self.there.release()

    def _work(self, _: Any) -> None:
        while self.there.acquire():
            with self.lock:
                point = next(iter(self.waiting), None)
                if point is None:
                    continue
                del self.waiting[point]
            self.begun[point] += 1
            seconds = self.seconds_of(point)
            time.sleep(seconds)
            self.answers.put(good(point, seconds=[seconds]))


@pytest.mark.slow
def test_points_are_shared_out_again_when_they_take_longer_than_earlier_ones(opened: ExitStack) -> None:
    """One evaluator has most of the points, because it was the fastest. Now each point takes long, and the other
    evaluator would be idle.
    """

    def one_that_takes(at_first: float) -> OneByOne:
        return OneByOne(lambda point: at_first if point < 1000 else 0.1)

    servicers = one_that_takes(0.001), one_that_takes(0.02)
    pooled = Pooled(opened, *servicers, race=False)
    pooled.pool.describe(5.0)
    while len(pooled.pool.addresses) < 2:
        assert len(pooled.evaluate(points(40))) == 40
    assert len(pooled.evaluate(points(100, first=500))) == 100
    assert len(pooled.evaluate(points(60, first=1000))) == 60
    one, other = ({point for point in servicer.begun if point >= 1000} for servicer in servicers)
    assert len(one & other) == 0 and min(len(one), len(other)) > 15 and not pooled.said_of("lost")


@pytest.mark.slow
def test_points_that_wait_behind_a_slow_one_go_to_idle_evaluators(opened: ExitStack) -> None:
    """The first point takes much longer than all others together. Those sent to the same evaluator do not wait for it,
    and no point begins twice.
    """
    slow = 110
    servicers = [OneByOne(lambda point: 6.0 if point == slow else 0.02) for _ in range(2)]
    pooled = Pooled(opened, *servicers, race=False)
    pooled.pool.describe(5.0)
    while len(pooled.pool.addresses) < 2:
        assert len(pooled.evaluate(points(40))) == 40
    before = [sum(servicer.begun.values()) for servicer in servicers]
    begun, answered = time.monotonic(), dict[int, float]()
    for received in pooled.pool.evaluate(points(50, first=slow), wait=5.0, until=time.monotonic() + 20):
        answered.update((outcome.id, time.monotonic() - begun) for outcome in received.outcomes)
    (late,) = [point for point, seconds in answered.items() if seconds > 5.0]
    assert late == slow and len(answered) == 50
    begun_now = [sum(servicer.begun.values()) - count for servicer, count in zip(servicers, before, strict=True)]
    assert sum(begun_now) == 50


def test_points_that_wait_at_a_suspended_evaluator_are_evaluated_by_others(opened: ExitStack) -> None:
    """It stops in the middle of its points, and neither answers nor returns any. Its connection stays open."""

    def suspended(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        return at_once(ids, rows) if max(ids) < 100 else iter(())

    one = {**DESCRIBED, "concurrency": 1}
    pooled = Pooled(opened, Honest(at_once, one), Honest(suspended, one))
    pooled.pool.describe(5.0)
    while len(pooled.pool.addresses) < 2:
        assert len(pooled.evaluate(points(40))) == 40
    assert len(pooled.evaluate(points(60, first=40))) == 60
    begun = time.monotonic()
    outcomes = pooled.evaluate(points(60, first=100))
    assert [outcome.id for outcome in outcomes] == list(range(100, 160)) and time.monotonic() - begun < 15
    assert {outcome.evaluator for outcome in outcomes} == {pooled.addresses[0]}
    held = len([point for point in pooled.servicers[1].asked if point >= 100])
    assert held > 5
    assert len(pooled.evaluate(points(60, first=200))) == 60
    assert len([point for point in pooled.servicers[1].asked if point >= 200]) == 0  # it still has its points


def test_a_point_is_slow_after_three_times_the_median() -> None:
    now = time.monotonic()
    busy, idle = (
        cast(Link, SimpleNamespace(room=1, concurrency=2, queued={}, running={}, out={}, heard=now)) for _ in range(2)
    )
    busy.running = {7: now - 31.0, 8: now - 29.0}
    links = {read_address(f"127.0.0.1:{port}"): link for port, link in ((1, busy), (2, idle))}
    under_way = UnderWay(links)
    under_way.times.extend([1.0, 10.0, 10.0, 60.0])
    assert slow_points([busy, idle], {7, 8}, slow_since(under_way), {}) == []  # too few points are behind the median
    under_way.times.append(10.0)
    since = slow_since(under_way)
    assert slow_points([busy, idle], {7, 8}, since, {}) == [(7, idle)]
    assert slow_points([busy, idle], {8}, since, {}) == []  # somebody else has answered 7
    assert slow_points([busy], {7, 8}, since, {}) == []


def test_an_evaluator_is_not_stuck_while_a_worker_has_a_new_point() -> None:
    """It was silent for long, because it had a single point, which is slow. Three others have just been sent to it."""
    now = time.monotonic()
    busy, idle = (
        cast(Link, SimpleNamespace(room=9, concurrency=workers, queued={}, running={}, out={}, heard=now - 60.0))
        for workers in (4, 9)
    )
    busy.queued, moved = {5: None}, {5: now - 10.0}
    busy.running = {1: now - 60.0} | dict.fromkeys((2, 3, 4), now)
    busy.out = {1: elapsed() - 60.0} | dict.fromkeys((2, 3, 4, 5), elapsed())
    assert slow_points([busy, idle], {1, 2, 3, 4, 5}, now - 3.0, moved) == [(1, idle)]
    busy.running = dict.fromkeys((1, 2, 3, 4), now - 60.0)
    busy.out = dict.fromkeys((1, 2, 3, 4), elapsed() - 60.0) | {5: elapsed()}
    found = [point for point, _ in slow_points([busy, idle], {1, 2, 3, 4, 5}, now - 3.0, moved)]
    assert found == [1, 2, 3, 4, 5]


def test_a_point_waits_to_be_returned_each_time_its_evaluator_is_stuck() -> None:
    """Other points were asked back long ago. This one is asked back first, since it can then run once only."""
    now = time.monotonic()
    busy, idle = (
        cast(Link, SimpleNamespace(room=9, concurrency=workers, queued={}, running={}, out={}, heard=now - 60.0))
        for workers in (1, 9)
    )
    busy.queued, busy.running = {5: None, 6: None}, {1: now - 60.0}
    busy.out = {1: elapsed() - 60.0, 5: elapsed(), 6: elapsed()}
    for moved, raced in (({4: now - 60.0}, [1]), ({5: now}, [1]), ({5: now - 1.0, 6: now}, [1, 5])):
        found = slow_points([busy, idle], {1, 5, 6}, now - 3.0, moved)
        assert [point for point, _ in found] == raced
