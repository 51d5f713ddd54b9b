"""Points move within 5 s, with the intervals that every scan has: to a new replica, and away from a lost one."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.wire.security import Security
from tests.proposer.hostile import Honest, good, listening
from tests.proposer.pooled import DESCRIBED, Pooled, names, opened, points

__all__ = ["opened"]  # a fixture

PROMISED = 5.0
"""The promise of the design, in seconds."""

WARM_UP = 1000
"""The first id of points that only make sure that all evaluators take part."""

TRIES = 3
"""Attempts, one of which must keep the promise: on a busy machine any of them may be held up."""


class Replica(Honest):
    """Answers each point after 20 ms, and says when it got the first one."""

    def __init__(self) -> None:
        super().__init__(self.answers, DESCRIBED)
        self.began = threading.Event()

    def answers(self, ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        self.began.set()
        for point in ids:
            time.sleep(0.02)
            yield pb.EvaluateResponse(results=[good(point, seconds=[0.02])])


def of_a_folder(opened: ExitStack, folder: Path, _: pytest.MonkeyPatch) -> tuple[str, Callable[[Replica], None]]:
    """Replicas that announce themselves in a folder."""

    def add(replica: Replica) -> None:
        address = opened.enter_context(listening(replica))
        (folder / f"{address}.evaluator").write_text(f"{address}\n")

    add(Replica())
    return f"dir:{folder}", add


def of_a_name(opened: ExitStack, _: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Callable[[Replica], None]]:
    """Replicas behind a name, which has one more address of loopback for each."""
    hosts = ["127.0.0.2"]
    names(monkeypatch, hosts)
    port = int(opened.enter_context(listening(Replica(), 0, hosts[0])).rpartition(":")[2])

    def add(replica: Replica) -> None:
        host = f"127.0.0.{2 + len(hosts)}"
        opened.enter_context(listening(replica, port, host))
        hosts.append(host)

    return f"dns:///pool.test:{port}", add


@pytest.mark.parametrize("where", [of_a_folder, of_a_name])
def test_a_new_replica_has_points_within_five_seconds(
    opened: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Any
) -> None:
    place, add = where(opened, tmp_path, monkeypatch)
    pooled = Pooled(opened, places=(place,), security=Security(insecure=True))
    pooled.pool.describe(60.0)
    ended = threading.Event()

    def scan() -> None:
        ids = itertools.count(1, 20)
        while not ended.is_set():
            for _ in pooled.pool.evaluate(points(20, next(ids)), wait=60.0, until=math.inf):
                pass

    thread = threading.Thread(target=scan)
    thread.start()
    took = list[float]()
    try:
        while len(took) < TRIES and min(took, default=math.inf) > PROMISED:
            replica, start = Replica(), time.monotonic()  # the last look was just now, so the next one is far
            add(replica)
            assert replica.began.wait(60.0)
            took.append(time.monotonic() - start)
    finally:
        ended.set()
        thread.join()
    assert min(took) < PROMISED, took


class Keeping(Honest):
    """Says when it got points, and keeps them; it answers those from WARM_UP on."""

    def __init__(self) -> None:
        super().__init__(self.keep, DESCRIBED)
        self.began, self.ended = threading.Event(), threading.Event()

    def keep(self, ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        if min(ids) < WARM_UP:
            self.began.set()
            self.ended.wait()
        yield pb.EvaluateResponse(results=[good(point, seconds=[0.01]) for point in ids])


class Noting(Honest):
    """Answers at once, and notes when it was asked."""

    def __init__(self) -> None:
        super().__init__(self.note, DESCRIBED)
        self.when: dict[int, float] = {}

    def note(self, ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        self.when.update(dict.fromkeys(ids, time.monotonic()))
        yield pb.EvaluateResponse(results=[good(point, seconds=[0.01]) for point in ids])


def seconds_until_moved(opened: ExitStack) -> float:
    """The time from the loss of an evaluator until another one had all of its points."""
    keeping, noting, lost = Keeping(), Noting(), list[float]()
    with ExitStack() as server:
        pooled = Pooled(opened, noting, places=(server.enter_context(listening(keeping)),), race=False)
        pooled.pool.describe(60.0)
        while len(pooled.pool.addresses) < 2:  # both take part
            pooled.evaluate(points(2, WARM_UP))

        def lose() -> None:
            assert keeping.began.wait(60.0)
            lost.append(time.monotonic())
            server.close()

        thread = threading.Thread(target=lose)
        thread.start()
        try:
            assert len(pooled.evaluate(points(40), seconds=60.0)) == 40
        finally:
            keeping.ended.set()
            thread.join()
    moved = [noting.when[point] for point in keeping.asked if point < WARM_UP]
    return max(moved) - lost[0]


def test_points_of_a_lost_evaluator_are_at_another_one_within_five_seconds(opened: ExitStack) -> None:
    took = list[float]()
    while len(took) < TRIES and min(took, default=math.inf) > PROMISED:
        took.append(seconds_until_moved(opened))
    assert min(took) < PROMISED, took
