"""Promises of every EvaluationBackend: a function in this process, and evaluators behind gRPC."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from proposer.drive import drive
from proposer.evaluation.backend import Description, EvaluationBackend, NoEvaluator
from proposer.evaluation.local import Answers, LocalFunction, score
from proposer.evaluation.work import Work
from proposer.loop import Limits, Scan
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.run.tables import GoodPoints
from proposer.show.progress import Progress
from proposer.show.tally import read_tally
from proposer.space import Space
from proposer.strategies.base import Strategy
from proposer.strategies.draws import DrawSettings, Random
from proposer.target import Target
from proposer.time_limit import OutOfTime, check_time
from proposer.types import Batch, Observable, Pending, Status
from scanspec import Kind, Likelihood, Variable
from tests.proposer.hostile import GAUSS, good, message, serving

SPACE = Space([Variable("a", 0.0, 1.0), Variable("b", 0.0, 1.0)])
RANGES = {"b": (0.0, 1.0), "a": (0.0, 1.0)}  # not in alphabetical order
Y = Observable("y", "", "code", (-1.0, 1.5), Likelihood(Kind.GAUSS, 0.0, 1.0))


def sums(x: np.ndarray) -> np.ndarray:
    """y = b + 2 a."""
    return (x[:, 0] + 2.0 * x[:, 1])[:, None]


def scored_sums(x: np.ndarray) -> Answers:
    return score(sums(x), [Y])


def answer(ids: list[int], rows: np.ndarray) -> Iterator[pb.EvaluateResponse]:
    """The same, for columns in the order of a client: a, b."""
    found = scored_sums(rows[:, ::-1])
    for point, y, nll in zip(ids, found.observables.tolist(), found.nll.tolist(), strict=True):
        if math.isnan(nll):
            yield message(good(point, status=pb.STATUS_INVALID, observables=y, losses=[], nll=None))
        else:
            yield message(good(point, observables=y, losses=[nll], nll=nll))


@pytest.fixture(params=["function", "one evaluator", "three evaluators"])
def backend(request: pytest.FixtureRequest) -> Iterator[EvaluationBackend]:
    if request.param == "function":
        yield LocalFunction(scored_sums, RANGES, [Y])
        return
    described = pb.Observable(name="y", code="code", valid=pb.Window(low=-1.0, high=1.5), likelihood=GAUSS)
    parameters = [pb.Parameter(name=name, low=0.0, high=1.0) for name in RANGES]
    servers = 1 if request.param == "one evaluator" else 3
    with serving(answer, servers, observables=[described], parameters=parameters) as pool:
        yield pool


def points(n: int, first: int = 1) -> Pending:
    u = np.random.default_rng(first).random((n, 2))
    return Pending(np.arange(first, first + n), u, np.zeros(n, dtype=np.int64))


def soon() -> float:
    return time.monotonic() + 20.0


def test_a_backend_describes_itself(backend: EvaluationBackend) -> None:
    description = backend.describe(5.0)
    assert list(description.parameters) == ["b", "a"] and description.concurrency >= 1
    assert [
        (observable.name, observable.valid, observable.likelihood.kind) for observable in description.observables
    ] == [("y", (-1.0, 1.5), Kind.GAUSS)]


def test_a_backend_that_does_not_fit_is_refused_by_the_scan(backend: EvaluationBackend) -> None:
    def fits(description: Description) -> None:
        raise ZeroDivisionError(description.backend)

    with pytest.raises(ZeroDivisionError):
        backend.describe(5.0, fits)


def test_each_point_is_answered_once_with_its_own_values(backend: EvaluationBackend) -> None:
    backend.describe(5.0)
    asked, work = points(700), Work(SPACE.names)
    work.add(asked, 700)
    outcomes = [outcome for received in backend.evaluate(work, wait=5.0, until=soon()) for outcome in received.outcomes]
    assert sorted(outcome.id for outcome in outcomes) == asked.ids.tolist() and not work.rows
    for outcome in outcomes:
        a, b = asked.params[outcome.id - 1]
        assert outcome.observables == pytest.approx([b + 2 * a])
        assert (outcome.status is Status.OK) == (b + 2 * a <= 1.5) == (outcome.nll is not None)
        assert outcome.nll is None or outcome.nll == pytest.approx(
            (b + 2 * a) ** 2 / 2, rel=0.01
        )  # not exactly, because the cap of the loss is smooth
        assert outcome.evaluator in backend.workers
        assert time.time() - 60 < outcome.sent <= outcome.returned <= time.time()


def test_points_may_be_added_while_a_backend_works(backend: EvaluationBackend) -> None:
    backend.describe(5.0)
    work, found, asked = Work(SPACE.names), [], 50
    work.add(points(50), 50)
    for received in backend.evaluate(work, wait=5.0, until=soon()):
        found += [outcome.id for outcome in received.outcomes]
        if asked < 200 and len(work) < 20:
            work.add(points(50, asked + 1), 50)
            asked += 50
    assert sorted(found) == list(range(1, 201))
    work.add(points(9, 10_001), 9)  # it can go on after its end
    assert sum(len(received.outcomes) for received in backend.evaluate(work, wait=5.0, until=soon())) == 9


def test_points_that_are_no_longer_wanted_do_not_begin(backend: EvaluationBackend) -> None:
    backend.describe(5.0)
    work, found = Work(SPACE.names), []
    work.add(points(50_000), 50_000)
    for received in backend.evaluate(work, wait=5.0, until=soon()):
        found += [outcome.id for outcome in received.outcomes]
        if received.outcomes and len(work.rows) + len(found) == 50_000:
            backend.cancel([point for point in work.rows if point > 40])
    assert len(found) < 50_000 and set(range(1, 41)) <= set(found) and not work.rows


def test_no_point_begins_when_the_time_is_over(backend: EvaluationBackend) -> None:
    backend.describe(5.0)
    work = Work(SPACE.names)
    work.add(points(20), 20)
    assert [outcome for received in backend.evaluate(work, wait=5.0, until=0.0) for outcome in received.outcomes] == []
    assert not work.rows


def test_a_strategy_asks_for_the_same_points_with_every_backend(backend: EvaluationBackend) -> None:
    told = [step.told for step in drive(Random(SPACE, DrawSettings(30), 1), backend, SPACE, batches=4)]
    u = np.concatenate([batch.u for batch in told])
    expected = Random(SPACE, DrawSettings(120), 1).ask(1000).u
    assert u.shape == (120, 2) and told[0].u.tolist() == expected[:30].tolist()
    y = u[:, 1] + 2 * u[:, 0]  # b + 2 a
    assert np.concatenate([result.observables for result in told])[:, 0] == pytest.approx(y)
    nll = np.concatenate([result.nll for result in told])
    assert np.isnan(nll).tolist() == (y > 1.5).tolist()
    assert nll[y <= 1.5] == pytest.approx(y[y <= 1.5] ** 2 / 2, rel=0.01)
    assert np.concatenate([k.ids for k in told]).tolist() == list(range(1, 121))


def scan_of(folder: Path, backend: EvaluationBackend, wanted: int, strategy: Strategy | None = None) -> str:
    description, target = backend.describe(5.0), Target(0.1)
    strategy = strategy or Random(SPACE, DrawSettings(40, target), 5)
    with Dataset(folder) as dataset:
        if not dataset.meta():
            dataset.start(Columns.named(SPACE.names, ["y"], description.codes), {"seconds": 0.0})
        tally = read_tally(dataset, wanted, target, names=["y"])
        return Scan(
            dataset=dataset,
            strategy=strategy,
            space=SPACE,
            backend=backend,
            good_points=GoodPoints(folder / "good_points.csv", list(SPACE.names), ["y"], target, wanted),
            limits=Limits(wanted, math.inf, math.inf),
            tally=tally,
            progress=Progress(tally),
            wait=5.0,
        ).run()


class Trains(Random):
    """Trains for a long time before it asks for the second batch, while the first one is evaluated."""

    def __init__(self) -> None:
        super().__init__(SPACE, DrawSettings(40, Target(0.1)), 5)
        self.trains, self.given_up = threading.Event(), threading.Event()

    def ask(self, least: int = 1) -> Batch | None:
        end = time.monotonic() + 10.0
        while self._asked and time.monotonic() < end:
            self.trains.set()
            try:
                check_time()
            except OutOfTime:
                self.given_up.set()
                raise
        return super().ask(least)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), NoEvaluator("nobody answers", next_step="start one")], ids=repr)
def test_a_training_ends_with_its_scan(tmp_path: Path, error: BaseException) -> None:
    strategy = Trains()

    def function(x: np.ndarray) -> Answers:
        assert strategy.trains.wait(10)
        raise error

    with pytest.raises(type(error)):
        scan_of(tmp_path, LocalFunction(function, RANGES, [Y]), 7, strategy)
    assert strategy.given_up.is_set()


def test_a_scan_ends_with_the_first_good_points_whoever_computes(
    backend: EvaluationBackend, tmp_path: Path, expected: Callable[[int], bytes]
) -> None:
    """Every backend gives the same table. A later scan for more points gives the table of an uninterrupted one."""
    assert scan_of(tmp_path / "a", backend, 7) == "7 good points found (points: 7)"
    assert (tmp_path / "a" / "good_points.csv").read_bytes() == expected(7)
    with Dataset(tmp_path / "a", read_only=True) as dataset:
        table = (tmp_path / "a" / "good_points.csv").read_text().splitlines()
        last = int(table[-1].partition(",")[0])
        assert len(table) == 8 and dataset.pending().ids.min(initial=10**9) > last
        found = np.concatenate([part.times for part in dataset.results()])
        assert (found[:, 0] <= found[:, 1]).all() and (found[:, 1] <= found[:, 3]).all()
    assert scan_of(tmp_path / "a", backend, 30) == "30 good points found (points: 30)"
    assert (tmp_path / "a" / "good_points.csv").read_bytes() == expected(30)


@pytest.fixture
def expected(tmp_path: Path) -> Callable[[int], bytes]:
    def table(wanted: int) -> bytes:
        scan_of(tmp_path / f"e{wanted}", LocalFunction(scored_sums, RANGES, [Y]), wanted)
        return (tmp_path / f"e{wanted}" / "good_points.csv").read_bytes()

    return table
