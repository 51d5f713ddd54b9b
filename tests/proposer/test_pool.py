"""A pool of evaluators, with real servers: which points each gets, and evaluators that are lost, silent or wrong."""

from __future__ import annotations

import itertools
import math
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import EvaluatorRefused, NoEvaluator
from proposer.types import Status
from proposer.wire import addresses, hand_out, patience, remote
from proposer.wire.answers import send_again
from proposer.wire.attendance import Purpose
from proposer.wire.calls import evaluate_call
from proposer.wire.hand_out import share_out
from proposer.wire.pool import Pool
from proposer.wire.remote import Events, Link
from proposer.wire.security import NotSecure, Security
from proposer.wire.under_way import UnderWay
from scanspec import UsageError, read_address
from scanspec.finished import is_marked
from tests.evaluator.serving import wait_until
from tests.proposer.hostile import Honest, good, listening, message
from tests.proposer.pooled import DESCRIBED, Pooled, at_once, names, opened, points

__all__ = ["opened"]  # a fixture


def test_a_slow_point_is_raced_and_the_slower_one_given_up(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_out, "LEAST", 0.3)
    stuck = threading.Event()

    def once_stuck(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        """The first evaluator that gets point 1 never answers it."""
        for point in ids:
            if point == 1 and not stuck.is_set():
                stuck.set()
                continue
            yield pb.EvaluateResponse(results=[good(point, seconds=[0.01])])

    pooled = Pooled(opened, Honest(once_stuck, DESCRIBED), Honest(once_stuck, DESCRIBED))
    pooled.pool.describe(5.0)
    received = list(pooled.pool.evaluate(points(60), wait=5.0, until=time.monotonic() + 20))
    outcomes = [outcome for some in received for outcome in some.outcomes]
    assert sorted(outcome.id for outcome in outcomes) == list(range(1, 61))
    assert all(1 in servicer.asked for servicer in pooled.servicers)
    asked = Counter(point for servicer in pooled.servicers for point in servicer.asked)
    assert sum(some.raced for some in received) == sum(times == 2 for times in asked.values()) >= 1
    (winner,) = [outcome.evaluator for outcome in outcomes if outcome.id == 1]
    loser = pooled.servicers[1 - pooled.addresses.index(winner)]
    assert wait_until(lambda: 1 in loser.given_up)


def test_without_racing_nothing_is_sent_twice(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_out, "LEAST", 0.1)

    def now_and_then(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        for point in ids:
            time.sleep(0.5 if point % 40 == 0 else 0.002)
            yield message(good(point, seconds=[0.002]))

    pooled = Pooled(opened, Honest(now_and_then, DESCRIBED), Honest(now_and_then, DESCRIBED), race=False)
    assert len(pooled.evaluate(points(100))) == 100
    asked = [point for servicer in pooled.servicers for point in servicer.asked]
    assert len(asked) == len(set(asked)) == 100


def test_a_silent_evaluator_is_given_up_after_its_own_time_limits(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no max_hours. The evaluator says that its codes end after 0.1 s, and one answer was lost."""
    monkeypatch.setattr(patience, "GRACE", 0.2)
    asked = Counter[int]()

    def loses_one(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        asked.update(ids)
        yield message(*[good(point) for point in ids if point != 3 or asked[3] > 1])

    pooled = Pooled(opened, Honest(loses_one, {**DESCRIBED, "longest_seconds": 0.1}))
    outcomes = pooled.evaluate(points(8), seconds=math.inf)
    assert [outcome.id for outcome in outcomes] == list(range(1, 9))
    assert all(outcome.status is Status.OK for outcome in outcomes) and asked[3] == 2
    (line,) = [text for text in pooled.said if "connecting anew" in text]
    assert "has not answered point 3 for" in line and "although its codes end after" in line


def test_a_point_that_is_never_answered_has_failed_after_three_tries(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "GRACE", 0.1)
    asked = Counter[int]()

    def loses_three(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        asked.update(ids)
        yield message(*[good(point) for point in ids if point != 3])

    pooled = Pooled(opened, Honest(loses_three, {**DESCRIBED, "longest_seconds": 0.05}))
    outcomes = pooled.evaluate(points(8), seconds=math.inf)
    assert [outcome.id for outcome in outcomes if outcome.status is Status.FAILED] == [3] and len(outcomes) == 8
    assert asked[3] == 3 and "3 times while it ran" in outcomes[2].message


def test_an_evaluator_with_another_physics_is_left_out_and_named(opened: ExitStack) -> None:
    other = {**DESCRIBED, "physics_digest": "z", "sources": {"toy: file toy.py": "another"}}
    pooled = Pooled(
        opened, Honest(at_once, DESCRIBED | {"sources": {"toy: file toy.py": "one"}}), Honest(at_once, other)
    )
    reference = pooled.pool.describe(5.0).physics_digest
    assert len(pooled.evaluate(points(50))) == 50
    work = points(300, 100)
    assert len(pooled.evaluate(work)) == 300
    wrong = pooled.servicers[1 if reference == "a" else 0]
    assert wrong.asked == []
    deadline = time.monotonic() + 5
    while not pooled.said_of("left out") and time.monotonic() < deadline:
        pooled.evaluate(points(1, 5000 + int(1000 * time.monotonic() % 1e6)))
    (line,) = pooled.said_of("left out")
    assert "has another physics (toy: file toy.py)" in line


def test_it_is_an_error_if_no_evaluator_fits(opened: ExitStack) -> None:
    pooled = Pooled(opened, Honest(at_once, DESCRIBED), Honest(at_once, DESCRIBED))

    def fits(description: object) -> None:
        raise EvaluatorRefused("not this")

    with pytest.raises(EvaluatorRefused, match="not this"):
        pooled.pool.describe(5.0, fits)


def test_a_draining_evaluator_gives_its_points_back(opened: ExitStack) -> None:
    """Its points come back as cancelled, and it gets no more. Another evaluator answers them."""

    def drains(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        yield message(*[pb.Result(point_id=point, status=pb.STATUS_CANCELLED) for point in ids])

    draining = Honest(drains, DESCRIBED)
    pooled = Pooled(opened, draining, Honest(at_once, DESCRIBED))
    assert len(pooled.evaluate(points(500))) == 500
    assert len(draining.asked) <= 4


def test_a_new_address_of_a_folder_takes_part(opened: ExitStack, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(addresses, "LOOK_EVERY", 0.1)
    folder = tmp_path / "announced"
    pooled = Pooled(opened, places=(f"dir:{folder}",))
    with pytest.raises(NoEvaluator, match=r"no evaluator answers at dir:.*--announce"):
        pooled.pool.describe(0.0)
    folder.mkdir()
    (folder / "stale").write_text("127.0.0.1:1\n")
    (folder / "half").write_text("127.0")
    first, second = (Honest(at_once, DESCRIBED) for _ in range(2))
    (folder / "a").write_text(opened.enter_context(listening(first)) + "\n")
    assert len(pooled.evaluate(points(20))) == 20
    (folder / "b").write_text(opened.enter_context(listening(second)) + "\n")
    deadline, n = time.monotonic() + 5, 0
    while not second.asked:
        assert time.monotonic() < deadline, "a new evaluator had no points within 5 s"
        n += 1
        assert len(pooled.evaluate(points(50, 1000 * n))) == 50
    assert len(pooled.said_of("takes part")) == 2


def test_the_folder_says_that_the_scan_is_finished_until_it_goes_on(opened: ExitStack, tmp_path: Path) -> None:
    """Evaluators that start later read it. A look without waiting, as for a finished run, leaves the message there."""
    (tmp_path / "a").write_text(opened.enter_context(listening(Honest(at_once, DESCRIBED))) + "\n")

    def pool(run: str) -> Pool:
        return Pooled(opened, places=(f"dir:{tmp_path}",), purpose=Purpose(run=run)).pool

    scan = pool("run")
    digests = scan.describe(5.0).digests
    assert not is_marked(tmp_path, digests)
    scan.finish()
    assert is_marked(tmp_path, digests)
    pool("run").describe(0.0)
    pool("").describe(5.0)
    assert is_marked(tmp_path, digests)
    pool("run").describe(5.0)
    assert not is_marked(tmp_path, digests)


def test_all_evaluators_are_told_together_that_the_scan_is_finished(opened: ExitStack) -> None:
    """Those that are suspended do not answer, and each would take its time one after the other."""
    together, told = threading.Barrier(3, timeout=4.0), list[int]()

    class Finishing(Honest):
        def Finish(self, request: Any, context: Any) -> pb.FinishResponse:
            told.append(together.wait())
            return pb.FinishResponse(ends=True)

    pooled = Pooled(opened, *(Finishing(at_once, DESCRIBED) for _ in range(3)))
    pooled.pool.describe(5.0)
    first = itertools.count(1, 20)
    assert wait_until(lambda: bool(pooled.evaluate(points(20, first=next(first)))) and len(pooled.pool.addresses) == 3)
    pooled.pool.finish()
    assert sorted(told) == [0, 1, 2]


def test_a_name_stands_for_all_its_addresses(opened: ExitStack) -> None:
    servicer = Honest(at_once, DESCRIBED)
    port = opened.enter_context(listening(servicer)).rpartition(":")[2]
    pooled = Pooled(opened, places=(f"dns:///localhost:{port}",))
    assert len(pooled.evaluate(points(30))) == 30


def test_an_evaluator_with_two_addresses_is_used_once(opened: ExitStack) -> None:
    """A name may have IPv4 and IPv6 addresses, and a folder may name an evaluator that --evaluator names, too."""
    servicer = Honest(at_once, {**DESCRIBED, "instance": "one"})
    port = opened.enter_context(listening(servicer)).rpartition(":")[2]
    pooled = Pooled(opened, places=(f"127.0.0.1:{port}", f"localhost:{port}", f"dns:///127.0.0.1:{port}"))
    pooled.pool.describe(5.0)
    first = itertools.count(1, 20)
    assert wait_until(lambda: len(pooled.evaluate(points(20, first=next(first)))) == 20 and pooled.said_of("used once"))
    assert len(servicer.asked) == len({*servicer.asked}) == next(first) - 1
    assert pooled.pool.load.evaluators == 1 and len(pooled.said_of("takes part")) == 1


def test_a_name_is_looked_up_again_and_a_new_address_takes_part(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "LOOK_EVERY", 0.1)
    first, second = (Honest(at_once, DESCRIBED) for _ in range(2))
    port = int(opened.enter_context(listening(first)).rpartition(":")[2])
    opened.enter_context(listening(second, port, "127.0.0.2"))
    hosts = ["127.0.0.1"]
    names(monkeypatch, hosts)
    pooled = Pooled(opened, places=(f"dns:///pool.test:{port}",), security=Security(insecure=True))
    assert len(pooled.evaluate(points(20))) == 20 and not second.asked
    hosts.append("127.0.0.2")
    ids = itertools.count(1000, 50)

    def second_has_points() -> bool:
        assert len(pooled.evaluate(points(50, next(ids)))) == 50
        return bool(second.asked)

    assert wait_until(second_has_points)
    assert len(pooled.said_of("takes part")) == 2


A_FILE = f"dir:{__file__}"


@pytest.mark.parametrize("place", ["dir:", A_FILE, "dns:///", "dns:///a b:1", "somewhere", "127.0.0.1:99999"])
def test_wrong_addresses_are_refused(place: str) -> None:
    with pytest.raises(UsageError, match="--evaluator"):
        Pool([place], say=print)


def test_another_machine_needs_tls_or_the_option_insecure(tmp_path: Path, opened: ExitStack) -> None:
    for place in ("10.0.0.1:5", "dns:///evaluators:50051"):
        with pytest.raises(NotSecure, match=r"another machine.*--insecure"):
            Pool([place], say=print)
    (tmp_path / "far").write_text("10.0.0.1:5\n")
    pooled = Pooled(opened, places=(f"dir:{tmp_path}",))
    with pytest.raises(NoEvaluator):
        pooled.pool.describe(0.3)
    assert ["10.0.0.1:5" in line and "left out" in line for line in pooled.said if "another machine" in line] == [True]


def link(seconds: float, concurrency: int, room: int = 1000, out: int = 0) -> Any:
    return SimpleNamespace(seconds=seconds, concurrency=concurrency, room=room, out=range(out))


def test_points_are_shared_out_so_that_all_end_together() -> None:
    quick, slow, wide = link(0.1, 1), link(0.4, 1), link(0.4, 8)
    given = dict(zip("qsw", [number for _, number in share_out([quick, slow, wide], 130)], strict=True))
    assert given == {"q": 40, "s": 10, "w": 80}
    busy = link(0.1, 1, out=30)
    assert [number for _, number in share_out([busy, link(0.1, 1)], 30)] == [30]
    assert [number for _, number in share_out([link(0.1, 1, room=3), link(10.0, 1, room=5)], 100)] == [3, 5]
    unknown = [number for _, number in share_out([link(math.nan, 2), link(0.1, 1)], 30)]
    assert unknown == [20, 10]


def test_a_point_is_overdue_as_soon_as_its_time_is_over(opened: ExitStack) -> None:
    """The time of waiting and the time after which a point is late are the same number to the last bit."""
    begun, longest = 83.7, 2.2
    now = begun + (patience.LATE * longest + patience.GRACE)
    assert begun > now - patience.LATE * longest - patience.GRACE
    said: list[str] = []
    one: Any = Link(read_address("127.0.0.1:9"), queue.SimpleQueue(), Security())
    opened.callback(one.close)
    one.description, one.heard, one.running = SimpleNamespace(longest=longest), now, {5: begun, 6: now}
    one.out = one.running
    patient = patience.Patience(math.inf, said.append)
    assert patient.left([one], begun) == now - begun
    assert patient.overdue(one, math.nextafter(now, 0.0)) == [] == said
    assert patient.overdue(one, now) == [5] and "has not answered point 5 for" in said[0]


def test_a_point_of_a_lost_evaluator_is_no_longer_asked_back(opened: ExitStack) -> None:
    """An evaluator that returns the point later does so because it stops, and not because it was asked."""
    lost = Link(read_address("127.0.0.1:9"), queue.SimpleQueue(), Security())
    opened.callback(lost.close)
    under_way = UnderWay({lost.peer: lost})
    under_way.begin(points(3))
    lost.send(under_way.work.take(2), under_way.work)
    under_way.moved.update(dict.fromkeys([1, 2, 3], 0.0))
    send_again(under_way, lost)
    assert under_way.moved.keys() == {3} and list(under_way.work.waiting) == [1, 2, 3]


def test_a_link_that_is_closed_while_it_opens_its_stream_ends_it(
    opened: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the evaluator would work on points of which nobody takes the answers."""
    finished, calls, events = threading.Event(), list[Any](), Events()

    def answer(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        finished.wait(60)
        return iter(())

    def closed_meanwhile(channel: Any, unread: Any) -> Any:
        def evaluate(requests: Any) -> Any:
            calls.append(evaluate_call(channel, unread)(requests))
            opening.close()
            return calls[0]

        return evaluate

    monkeypatch.setattr(remote, "evaluate_call", closed_meanwhile)
    opening = Link(read_address(opened.enter_context(listening(Honest(answer, DESCRIBED)))), events, Security())
    opened.callback(opening.close)
    opened.callback(finished.set)
    _, opening.description = events.get(timeout=60)
    opening.open(pb.EvaluateRequest(parameters=["x"]))
    work = points(1)
    opening.send(work.take(1), work)
    assert wait_until(lambda: calls and calls[0].done(), 20)


def test_one_delayed_point_does_not_make_its_evaluator_count_as_slow(opened: ExitStack) -> None:
    """Its points are not asked back, as they would be if all of them took so long."""
    alone = Link(read_address("127.0.0.1:9"), queue.SimpleQueue(), Security())
    opened.callback(alone.close)
    for seconds, window in (([0.001] * 99 + [0.05], range(100, 513)), ([0.05], range(21, 22))):
        alone.out = dict.fromkeys(range(len(seconds)), 0.0)
        for point, each in enumerate(seconds):
            alone.answer(point, each)
        alone.took_up(len(seconds), 0)
        assert alone.window_now in window


def test_an_evaluator_whose_cluster_grows_gets_more_points(opened: ExitStack) -> None:
    sizes: list[int] = []

    def answer(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
        sizes.append(len(ids))
        yield pb.EvaluateResponse(results=[good(point, seconds=[10.0]) for point in ids], concurrency=8)

    pooled = Pooled(opened, Honest(answer, DESCRIBED))
    assert len(pooled.evaluate(points(20))) == 20
    assert sizes[0] == 2 and max(sizes) == 8
    assert pooled.pool.load.workers == 8
