"""Evaluators that vanish, are silent, refuse or leave, and come back: real servers that do so when a test says."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import Description, EvaluatorRefused, NoEvaluator
from proposer.types import Status
from proposer.wire import addresses, asking, attendance, remote
from proposer.wire.events import Gone
from scanspec import fields
from tests.proposer.hostile import Honest, good, listening, message
from tests.proposer.pooled import DESCRIBED, Pooled, at_once, opened, points

__all__ = ["opened"]  # a fixture


class Vanishing(Honest):
    """Its address leaves the folder while its Describe is running. Describe ends with an error once `later` has been
    asked.
    """

    def __init__(self, here: Path, there: Path, later: Late) -> None:
        super().__init__(at_once, DESCRIBED)
        self.here, self.there, self.later, self.address = here, there, later, ""

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        self.here.unlink()
        self.there.write_text(self.address)
        assert self.later.asked_first.wait(10)  # by then the proposer has seen that this one is gone
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "gone")
        raise AssertionError


class Late(Honest):
    """Describes itself only when it is asked for the second time."""

    def __init__(self) -> None:
        super().__init__(at_once, DESCRIBED)
        self.asked_first = threading.Event()

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        if not self.asked_first.is_set():
            self.asked_first.set()
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return super().Describe(request, context)


@pytest.mark.parametrize("begun", [False, True])
def test_an_address_that_vanishes_while_it_is_asked_does_no_harm(
    opened: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    """This may happen before the scan has an evaluator, or later."""
    monkeypatch.setattr(addresses, "LOOK_EVERY", 0.05)
    late, came = Late(), threading.Event()
    vanishing = Vanishing(tmp_path / "vanishing", tmp_path / "late", late)
    vanishing.address = opened.enter_context(listening(late))

    def until_late_came(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        (tmp_path / "vanishing").write_text(address)
        assert came.wait(10)
        yield message(*map(good, ids))

    def late_came(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        came.set()
        yield message(*map(good, ids))

    late.answer = late_came
    address = opened.enter_context(listening(vanishing))
    if begun:
        (tmp_path / "first").write_text(opened.enter_context(listening(Honest(until_late_came, DESCRIBED))))
    else:
        (tmp_path / "vanishing").write_text(address)
    pooled = Pooled(opened, places=(f"dir:{tmp_path}",))
    assert [outcome.id for outcome in pooled.evaluate(points(9), seconds=math.inf)] == list(range(1, 10))
    assert late.asked and not vanishing.asked


class Silent(Honest):
    """Breaks off its first stream. After that, Describe does not answer until the test says so."""

    def __init__(self) -> None:
        super().__init__(at_once, DESCRIBED)
        self.broken, self.speaks = False, threading.Event()
        self.speaks.set()

    def Describe(self, request: Any, context: Any) -> pb.DescribeResponse:
        assert self.speaks.wait(10)
        return super().Describe(request, context)

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        for response in super().Evaluate(requests, context):
            if not self.broken:
                self.broken = True
                self.speaks.clear()
                context.abort(grpc.StatusCode.UNAVAILABLE, "the network is down")
            yield response


def test_silence_at_a_fixed_address_blames_no_point(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network may be the cause."""
    monkeypatch.setattr(asking, "AT_LAST", 0.2)
    silent = Silent()
    pooled = Pooled(opened, silent)
    pooled.pool.describe(5.0)
    killed, outcomes = [], []
    for received in pooled.pool.evaluate(points(1), wait=5.0, until=math.inf):
        killed += received.killed
        outcomes += received.outcomes
        if pooled.said_of("lost the evaluator"):
            silent.speaks.set()
    assert killed == [] and [outcome.status for outcome in outcomes] == [Status.OK]
    assert silent.asked == [1, 1]


def test_a_refused_connection_at_a_fixed_address_blames_the_running_point(opened: ExitStack) -> None:
    runs = threading.Event()

    def never(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        runs.set()
        yield message()

    with ExitStack() as first:
        address = first.enter_context(listening(Honest(never, DESCRIBED)))
        pooled = Pooled(opened, places=(address,))
        pooled.pool.describe(5.0)
        results = pooled.pool.evaluate(points(1), wait=5.0, until=math.inf)
        next(results)  # the first message is empty: the point is running
        assert runs.is_set()
        first.close()
    killed = next(received for received in results if received.killed).killed
    opened.enter_context(listening(Honest(at_once, DESCRIBED), int(address.rpartition(":")[2])))
    assert killed == [1]
    assert [outcome.status for received in results for outcome in received.outcomes] == [Status.OK]


def test_an_evaluator_that_ends_between_two_batches_blames_no_point(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is noticed when the next points are out, which were not there when it happened."""
    monkeypatch.setattr(attendance, "AGAIN", 0.05)
    monkeypatch.setattr(remote, "FASTER", 1e4)  # as if hours had passed since its end
    ended = threading.Event()

    def slowly(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        yield message(*[good(point, seconds=[0.05]) for point in ids])

    def noted(*arguments: Any) -> Gone:
        ended.set()
        return Gone(*arguments)

    monkeypatch.setattr(remote, "Gone", noted)
    with ExitStack() as first:
        address = first.enter_context(listening(Honest(slowly, DESCRIBED)))
        pooled = Pooled(opened, places=(address,))
        assert [outcome.id for outcome in pooled.evaluate(points(9))] == list(range(1, 10))
        first.close()
    assert ended.wait(10)
    opened.enter_context(listening(Honest(slowly, DESCRIBED), int(address.rpartition(":")[2])))
    received = list(
        pooled.pool.evaluate(points(9, first=10), wait=1e300, until=math.inf)
    )  # longer than any clock can measure
    assert [point for part in received for point in part.killed] == []
    outcomes = [outcome for part in received for outcome in part.outcomes]
    assert {outcome.id: outcome.status for outcome in outcomes} == dict.fromkeys(range(10, 19), Status.OK)
    assert pooled.said_of("lost the evaluator")


class Babbling(Honest):
    """The first stream ends with a message of too many fields, the second after one result that has been heard."""

    def __init__(self) -> None:
        super().__init__(at_once, DESCRIBED)
        self.streams, self.heard = 0, threading.Event()

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        self.streams += 1
        if self.streams == 1:
            yield message(*[pb.Result()] * 100)
        elif self.streams == 2:
            yield message(good(next(iter(requests)).point_ids[0]))
            assert self.heard.wait(10)
            context.abort(grpc.StatusCode.UNAVAILABLE, "the network is down")
        else:
            yield from super().Evaluate(requests, context)


def test_an_unreadable_message_is_no_reason_of_a_later_loss(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "SMALL", 100)
    monkeypatch.setattr(fields, "MOST_FIELDS", 50)
    babbling = Babbling()
    pooled, answered = Pooled(opened, babbling), set[int]()
    pooled.pool.describe(5.0)
    for received in pooled.pool.evaluate(points(3), wait=5.0, until=math.inf):
        answered |= {outcome.id for outcome in received.outcomes}
        if answered:
            babbling.heard.set()
    assert answered == {1, 2, 3}
    unread, unavailable = pooled.said_of("lost the evaluator")
    assert "has more than 50 fields" in unread and "(unavailable); its points" in unavailable


class Leaving(Honest):
    """Returns the points of its first stream as cancelled, and keeps the stream open. Counts its streams."""

    def __init__(self) -> None:
        super().__init__(at_once, DESCRIBED)
        self.streams = 0

    def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
        self.streams += 1
        if self.streams > 1:
            yield from super().Evaluate(requests, context)
            return
        for request in requests:
            yield message(*[pb.Result(point_id=point, status=pb.STATUS_CANCELLED) for point in request.point_ids])


def test_an_evaluator_that_returned_its_points_but_keeps_its_stream_gets_points_again(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendance, "LEFT_OUT", 0.2)
    leaving = Leaving()
    outcomes = Pooled(opened, leaving).evaluate(points(3), seconds=10.0)
    assert [outcome.id for outcome in outcomes] == [1, 2, 3]
    assert leaving.streams == 2


def test_a_link_that_was_given_up_is_opened_only_once(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next points come before the evaluator has described itself again. What a first opening sent would be lost at
    the second one.
    """
    monkeypatch.setattr(attendance, "LEFT_OUT", 0.5)
    leaving = Leaving()
    pooled = Pooled(opened, leaving)
    pooled.pool.describe(5.0)
    first = pooled.pool.evaluate(points(1), wait=5.0, until=math.inf)
    next(first)  # the point has come back, and the link was given up
    first.close()
    outcomes = pooled.evaluate(points(2, first=5), seconds=10.0)
    assert [outcome.id for outcome in outcomes] == [5, 6]
    assert leaving.streams == 2 and leaving.asked == [5, 6]


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAUTHENTICATED])
def test_an_evaluator_that_refused_once_is_asked_again(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch, code: grpc.StatusCode
) -> None:
    monkeypatch.setattr(attendance, "LEFT_OUT", 0.2)
    refused, answered = threading.Event(), threading.Event()

    class Refusing(Honest):
        def Evaluate(self, requests: Any, context: Any) -> Iterator[pb.EvaluateResponse]:
            if not refused.is_set():
                next(requests)
                refused.set()
                context.abort(code, "not now")
            for response in super().Evaluate(requests, context):
                answered.set()
                yield response

    def until_answered(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        assert answered.wait(10)
        yield message(*map(good, ids))

    pooled = Pooled(opened, Refusing(at_once, DESCRIBED), Honest(until_answered, DESCRIBED))
    assert len(pooled.evaluate(points(9), seconds=math.inf)) == 9
    assert len(pooled.said_of("refused the points: not now")) == 1


def test_an_evaluator_with_another_physics_is_asked_again(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evaluator may have been restarted at the same address with a corrected scan file."""
    monkeypatch.setattr(attendance, "LEFT_OUT", 0.2)
    answered = threading.Event()

    def until_answered(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        assert answered.wait(10)
        yield message(*map(good, ids))

    def mended(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        answered.set()
        yield message(*map(good, ids))

    def fits(description: Description) -> None:
        if description.physics_digest != "a":
            raise EvaluatorRefused("has another physics than the scan file")

    right, wrong = Honest(until_answered, DESCRIBED), Honest(mended, {**DESCRIBED, "physics_digest": "z"})
    pooled = Pooled(opened, right, wrong)
    pooled.pool.describe(5.0, fits)
    results = pooled.pool.evaluate(points(9), wait=5.0, until=math.inf)
    while not pooled.said_of("left out"):
        pooled.pool.wake()
        assert next(results).outcomes == []
    assert wrong.asked == []
    wrong.described = DESCRIBED
    assert len([outcome for received in results for outcome in received.outcomes]) == 9
    assert wrong.asked and pooled.said_of("has another physics")


def test_a_missing_evaluator_is_no_error_when_the_time_is_over(opened: ExitStack) -> None:
    """The scan ends in order. Without a time limit, a missing evaluator is an error."""
    with ExitStack() as first:
        pooled = Pooled(opened, places=(first.enter_context(listening(Honest(at_once, DESCRIBED))),))
        assert len(pooled.evaluate(points(3))) == 3
    work = points(3, first=10)
    with pytest.raises(NoEvaluator):
        list(pooled.pool.evaluate(work, wait=0.0, until=math.inf))
    for wait in (0.0, 60.0):
        found = pooled.pool.evaluate(points(3, first=20), wait=wait, until=time.monotonic() + (0.3 if wait else 0.0))
        assert [outcome for received in found for outcome in received.outcomes] == []


class Draining(Honest):
    """Drains as soon as it has a point: its health service says so, and it answers the point when the test allows."""

    def __init__(self) -> None:
        super().__init__(self.hold, {**DESCRIBED, "concurrency": 1})
        self.may_answer, self.drains = threading.Event(), threading.Event()

    def hold(self, ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        self.drains.set()
        assert self.may_answer.wait(10)
        yield message(*map(good, ids))

    def Watch(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield b"\x08\x01"
        context.add_callback(self.drains.set)
        self.drains.wait()
        yield b"\x08\x02"


def test_a_draining_evaluator_gets_no_more_points_even_if_it_returns_none(opened: ExitStack) -> None:
    """All of its points are running, so only the health service shows that it drains."""
    draining = Draining()

    def after_it(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        assert draining.may_answer.wait(10)
        yield message(*map(good, ids))

    other = Honest(after_it, {**DESCRIBED, "concurrency": 1})
    pooled = Pooled(opened, draining, other)
    answered = 0
    pooled.pool.describe(5.0)
    for received in pooled.pool.evaluate(points(40), wait=5.0, until=math.inf):
        answered += len(received.outcomes)
        if pooled.said_of("takes no more points for now"):
            draining.may_answer.set()
    assert answered == 40 and len(draining.asked) == 1 and len(other.asked) == 39
