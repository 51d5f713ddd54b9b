"""Scans whose target follows the best point: when a deeper minimum is found late, earlier good points are no longer
good.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from proposer.evaluation.local import Answers, LocalFunction
from proposer.evaluation.work import Received, Work
from proposer.interface.runs import Run
from proposer.loop import Limits, Scan
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.run.tables import GoodPoints
from proposer.show.progress import Progress
from proposer.show.tally import read_tally
from proposer.space import Space
from proposer.strategies.base import Settings, judged
from proposer.strategies.choice import make_strategy
from proposer.strategies.draws import DrawSettings
from proposer.strategies.lode.settings import LodeSettings
from proposer.target import Found, Target
from proposer.types import Batch, Outcome, Pending, Status
from scanspec import Variable
from tests.proposer.answered import same
from tests.proposer.datasets import open_dataset
from tests.proposer.searches import points_of
from tests.proposer.test_strategies import CASES, SPACE, Play, tmp_path

__all__ = ["tmp_path"]  # a fixture, in memory

pytestmark = pytest.mark.usefixtures("quick")

PLANE = Space([Variable("x", 0.0, 1.0), Variable("y", 0.0, 1.0)])
RANGES = {"x": (0.0, 1.0), "y": (0.0, 1.0)}
RULE = Target.following(2.0)
WANTED = 20


def two_minima(x: np.ndarray) -> np.ndarray:
    """A wide minimum of 10, where 18 % of the plane lies below 12, and a deep one of 4, where 1 % lies below 6."""
    wide = 10.0 + ((x - 0.3) ** 2).sum(axis=1) / (2 * 0.12**2)
    deep = 4.0 + ((x - 0.8) ** 2).sum(axis=1) / (2 * 0.03**2)
    return np.minimum(wide, deep)


class OutOfOrder(LocalFunction):
    """Answers a few of the points that it has taken at a time, in an order that depends on `seed`."""

    def __init__(self, function, ranges, seed: int) -> None:
        super().__init__(function, ranges)
        self.random = np.random.default_rng(seed)
        self.scan = Work(list(ranges))

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        self.scan, out = work, list[int]()
        while work.rows:
            out = [point for point in out if point in work.rows] + work.take(int(self.random.integers(1, 60)))
            some = self.random.permutation(out)[: int(self.random.integers(1, 15))].tolist()
            part = Work(work.names)
            part.add(
                Pending(
                    np.array(some), np.stack([work.rows[point] for point in some]), np.zeros(len(some), dtype=np.int64)
                ),
                15,
            )
            answers = list(super().evaluate(part, wait=wait, until=until))
            work.done(some)
            yield from answers

    def cancel(self, points: Collection[int]) -> None:
        self.scan.give_up_waiting(points)


def scan(
    folder: Path,
    seed: int,
    backend: LocalFunction,
    name: str = "RANDOM",
    wanted: int = WANTED,
    most: float = math.inf,
    known: np.ndarray | None = None,
    files_of_good: bool = False,
) -> str:
    """Runs a scan of the plane in batches of 20. `known`: points of an InitCSV with their NLL, shape (n, 3)."""
    small: dict[str, Settings] = {"RANDOM": DrawSettings(20, RULE), "LODE": LodeSettings(RULE, 20)}
    settings = small.get(name) or replace(CASES[name].settings, target=RULE)
    strategy = make_strategy(name, PLANE, settings, seed)
    backend.describe(0.0)
    with Dataset(folder) as dataset:
        if not dataset.meta():
            begun = {"seconds": 0.0, "variables": ["x", "y"], "observables": [], **RULE.to_meta()}
            dataset.start(Columns.named(["x", "y"], [], [""]), begun)
            if known is not None:
                came = [Outcome(0, Status.OK, nll) for nll in known[:, 2].tolist()]
                dataset.add_batch(
                    Batch(known[:, :2], ["init"] * len(known), 0), known[:, :2], strategy.checkpoint(), came
                )
        tally = read_tally(dataset, wanted, RULE)
        return Scan(
            dataset=dataset,
            strategy=strategy,
            space=PLANE,
            backend=backend,
            good_points=GoodPoints(folder / "good_points.csv", ["x", "y"], [], RULE, wanted),
            limits=Limits(wanted, most, math.inf),
            tally=tally,
            progress=Progress(tally),
            wait=0.0,
            files_of_good=files_of_good,
        ).run()


def in_order() -> LocalFunction:
    return LocalFunction(lambda x: Answers(np.empty((len(x), 0)), two_minima(x)), RANGES)


def out_of_order(seed: int) -> LocalFunction:
    return OutOfOrder(lambda x: Answers(np.empty((len(x), 0)), two_minima(x)), RANGES, seed)


def good_by_batch(folder: Path) -> list[int]:
    """The number of good points after each batch, by the best point up to then."""
    found, counts = Found(RULE), []
    with Dataset(folder, read_only=True) as dataset:
        for number in range(1, dataset.batches + 1):
            found.add(judged(dataset.told(number)).tolist())
            counts.append(found.good)
    return counts


class WithFiles(LocalFunction):
    """Every point comes with a spectrum file."""

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        for received in super().evaluate(work, wait=wait, until=until):
            yield Received([outcome._replace(spectra=[b"BLOCK A\n"]) for outcome in received.outcomes])


def test_spectrum_files_are_those_of_points_that_were_good_when_they_came(tmp_path):
    backend = WithFiles(lambda x: Answers(np.empty((len(x), 0)), two_minima(x)), RANGES)
    scan(tmp_path, LATE, backend, most=200, files_of_good=True)
    kept = {int(file.name) for file in (tmp_path / "files").iterdir()}
    points = Run(tmp_path).points()
    best_by_then = points["NLL"].cummin()
    assert set(points.index[points["NLL"] < 2.0 + points["NLL"].min()]) <= kept
    assert kept <= set(points.index[points["NLL"] < 2.0 + best_by_then]) and len(kept) < len(points) / 2


def test_the_table_is_written_again_when_the_threshold_moves(tmp_path):
    with Dataset(tmp_path) as dataset:
        dataset.start(Columns.named(["x", "y"], [], [""]), {})
        table = GoodPoints(tmp_path / "good_points.csv", ["x", "y"], [], RULE)
        table.start(dataset)
        written: list[list[float]] = []
        for nll in ([10.0, 13.0], [11.0, 10.5], [9.5, 8.4], [8.2, 12.0]):
            u = np.random.default_rng(len(written)).random((2, 2))
            added = dataset.add_batch(Batch(u, ["random"] * 2, 0), u, b"")
            dataset.record(
                [Outcome(point, Status.OK, value) for point, value in zip(added.ids.tolist(), nll, strict=True)]
            )
            table.add(dataset)
            written.append(pd.read_csv(table.path)["NLL"].tolist())
    assert written == [[10.0], [10.0, 11.0, 10.5], [10.0, 9.5, 8.4], [10.0, 9.5, 8.4, 8.2]]


LATE = 24
"""A seed with which the deep minimum is found only after enough good points of the wide one."""


def test_after_a_deeper_minimum_is_found_points_of_the_other_one_are_no_longer_good(tmp_path):
    assert scan(tmp_path, LATE, in_order()) == "20 good points found (points: 20)"
    counts = good_by_batch(tmp_path)
    before = max(range(len(counts) - 1), key=lambda number: counts[number])
    assert counts[before] >= WANTED and min(counts[before:]) < WANTED and counts[-1] >= WANTED
    table = pd.read_csv(tmp_path / "good_points.csv")
    points = Run(tmp_path).points()
    best = points["NLL"].min()
    assert best < 6 and len(table) == WANTED
    expected = points[points["NLL"] < best + 2.0].index[:WANTED]
    assert table["id"].tolist() == expected.tolist() and (np.hypot(table["x"] - 0.8, table["y"] - 0.8) < 0.07).all()
    with Dataset(tmp_path, read_only=True) as dataset:
        assert dataset.pending().ids.size == 0  # a scan ends between two batches
        stored = dataset.meta()
    assert stored["best_nll"] == best and stored["threshold"] == pytest.approx(best + 2.0)
    run = Run(tmp_path)
    assert run.target == RULE.at(best) and len(run.good()) == (points["NLL"] < best + 2.0).sum()
    assert f"{len(run.good())} good (NLL below " in repr(run)


@pytest.mark.parametrize("name", ["RANDOM", "CMAES"])
def test_no_order_of_answers_changes_which_points_are_good(tmp_path, name):
    expected = scan(tmp_path / "a", 1, in_order(), name)
    assert scan(tmp_path / "b", 1, out_of_order(1), name) == expected
    assert scan(tmp_path / "c", 1, out_of_order(2), name) == expected
    tables = [(tmp_path / folder / "good_points.csv").read_bytes() for folder in "abc"]
    assert tables[0] == tables[1] == tables[2] and tables[0].count(b"\n") == WANTED + 1
    ids = [Run(tmp_path / folder).points().index.tolist() for folder in "abc"]
    assert ids[0] == ids[1] == ids[2]


@pytest.mark.parametrize(
    ("name", "evaluations"), [("RANDOM", 200), pytest.param("LODE", 130, marks=pytest.mark.slow), ("CMAES_ND", 200)]
)
def test_a_scan_in_pieces_is_the_scan_in_one(tmp_path, name, evaluations):
    scan(tmp_path / "whole", LATE, in_order(), name, most=evaluations)
    for most in (33, evaluations - 50, evaluations - 49, evaluations):
        scan(tmp_path / "cut", LATE, out_of_order(most), name, most=most)
    whole, cut = (Run(tmp_path / folder).points() for folder in ("whole", "cut"))
    assert whole[["x", "y", "NLL", "origin"]].equals(cut[["x", "y", "NLL", "origin"]])
    assert (tmp_path / "whole" / "good_points.csv").read_bytes() == (tmp_path / "cut" / "good_points.csv").read_bytes()


@pytest.mark.parametrize("name", ["RANDOM", "CMAES", "CMAES_ND", "MLS_DNNC", "LODE"])
def test_a_better_point_of_an_init_csv_decides_what_is_good(tmp_path, name):
    known = np.array([[0.8, 0.8, 4.0], [0.3, 0.3, 10.0], [0.81, 0.8, 4.06]])
    scan(tmp_path, 3, in_order(), name, wanted=12, most=500, known=known)
    run = Run(tmp_path)
    good = run.good()
    assert (good["NLL"] < 6.0).all() and {1, 3} <= set(good.index) and 2 not in good.index
    assert pd.read_csv(tmp_path / "good_points.csv")["id"].tolist() == good.index[:12].tolist()
    with Dataset(tmp_path, read_only=True) as dataset:
        tally = read_tally(dataset, 12, RULE)
    assert tally.good == len(good) and tally.good_known == 2 and tally.best <= 4.0


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_strategy_interrupted_at_every_batch_is_the_uninterrupted_one(tmp_path, name):
    settings, most = replace(CASES[name].settings, target=Target.following(1.5)), 5

    def make():
        return make_strategy(name, SPACE, settings, 3, [])

    with open_dataset(tmp_path / "whole", SPACE.dim, 1) as dataset:
        whole = Play(dataset, make(), SPACE)
        while len(whole.batches) < most and whole.ask() is not None:
            pass
        found = Found(settings.target)
        for number in range(1, whole.told + 1):
            found.add(judged(dataset.told(number)).tolist())
        assert whole.strategy.good == found.good > 0
    made: list[Batch] = []
    for _ in range(most):
        with open_dataset(tmp_path / "cut", SPACE.dim, 1) as dataset:
            run = Play(dataset, make(), SPACE)
            run.resume()
            run.ask()
            made += run.batches
    assert same(made, whole.batches)


@pytest.mark.slow
def test_lode_finds_the_deep_minimum_and_tells_points_by_it(tmp_path):
    """Points of the wide minimum that were good are no longer good for any part of LODE's batches."""
    told = points_of(RULE, 2)
    assert scan(tmp_path, 2, in_order(), "LODE", wanted=60) == "60 good points found (points: 60)"
    points = Run(tmp_path).points()
    assert points["NLL"].min() < 4.2 and "lower" in set(points["origin"])
    with Dataset(tmp_path, read_only=True) as dataset:
        for number in range(1, dataset.batches + 1):
            told.add(dataset.told(number))
    known, best = told.known(), points["NLL"].min()
    assert (known.good == (points["NLL"] < best + 2.0)).all() and (known.good == (known.energy < 1.0)).all()
    assert known.plain.min() == pytest.approx(0.5)
