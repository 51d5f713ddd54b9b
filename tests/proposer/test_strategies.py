"""Promises of every strategy. A new strategy needs one line in CASES."""

import functools
import itertools
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from proposer.keys import row_keys
from proposer.run.dataset import Dataset, Outcome
from proposer.space import Space
from proposer.strategies.base import Settings, Strategy
from proposer.strategies.choice import TYPES, make_strategy
from proposer.strategies.cmaes import CmaesSettings
from proposer.strategies.cmaes_nd import CmaesNdSettings
from proposer.strategies.draws import DrawSettings
from proposer.strategies.grid import GridSettings
from proposer.strategies.lode import acquire, basins, collect, descend, fill, leap, lower, plane, probe, solve, spread
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.mls_dnnc_settings import FitSettings, MlsDnncSettings
from proposer.strategies.origins import ORIGINS
from proposer.target import Target
from proposer.types import Batch, CheckpointError, Floats, Status, Told
from scanspec.variables import PriorKind, Variable
from tests.proposer.answered import same
from tests.proposer.datasets import open_dataset, with_nll
from tests.proposer.playing import Playing

pytestmark = pytest.mark.usefixtures("quick")

BATCHES = 6
"""The number of batches in most tests."""

SPACE = Space(
    [
        Variable("flat", -3.0, 5.0, steps=7),
        Variable("log", 1e-3, 1e3, PriorKind.LOG_UNIFORM, steps=7),
        Variable("fixed", 7.5, 7.5),
        Variable("bell", -np.inf, high=np.inf, prior=PriorKind.NORMAL, mean=2.0, sigma=0.5, steps=7),
    ]
)
KINDS = Space(
    [
        Variable("phase", 0.0, 6.25, periodic=True, steps=20),
        Variable("count", 1.0, 4.0, integer=True),
        Variable("choice", -1.0, 7.0, values=(7.0, -1.0, 2.0)),
        Variable("flat", 0.0, 1.0, steps=20),
    ]
)


@dataclass(frozen=True)
class Case:
    """`uniform`: whether the first batch is a sample of the prior."""

    settings: Settings
    uniform: bool = True
    observables: list = field(default_factory=list)


ROOT = Path(__file__).parents[2]
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
PARTS_OF_LODE = (acquire, basins, collect, descend, fill, leap, lower, plane, probe, solve, spread)

CASES = {
    "MLS_DNNC": Case(
        MlsDnncSettings(
            bootstrap_points=40,
            candidate_points=300,
            points_per_iteration=30,
            target=Target(1.0),
            iterations=9,
            fit=FitSettings(neurons=8, batch_size=64, epochs=4),
        )
    ),
    "LODE": Case(LodeSettings(points_per_iteration=40, target=Target(1.0))),
    "RANDOM": Case(DrawSettings(points_per_iteration=40, target=Target(1.0))),
    "SOBOL": Case(DrawSettings(points_per_iteration=40, target=Target(1.0))),
    "GRID": Case(GridSettings(points_per_iteration=40, target=Target(1.0)), uniform=False),
    "CMAES": Case(CmaesSettings(population_size=12, target=Target(1.0)), uniform=False),
    "CMAES_ND": Case(CmaesNdSettings(population_size=12, target=Target(1.0)), uniform=False),
}

every = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where possible: these tests make many small datasets, and would spend most of their time on
    the disk.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def make(name: str, space: Space = SPACE, seed: int = 3) -> Strategy:
    return make_strategy(name, space, CASES[name].settings, seed, CASES[name].observables)


def nll(u: np.ndarray) -> np.ndarray:
    """Good (below 1) in a few per cent of the cube."""
    return ((u[:, [0, -1]] - [0.4, 0.6]) ** 2).sum(axis=1) / 0.12**2


Answer = Callable[[int, float], Outcome]


def mixed(point: int, value: float) -> Outcome:
    """Mostly OK points, and some of every other status."""
    status = {0: Status.INVALID, 1: Status.FAILED, 2: Status.TIMED_OUT}.get(point % 13, Status.OK)
    return Outcome(point, status, value, [value]) if status is Status.OK else Outcome(point, status)


def only(*statuses: Status) -> Answer:
    return lambda point, _: Outcome(point, statuses[point % len(statuses)])


class Play(Playing):
    """A scan whose points get their outcomes from `answer`."""

    def __init__(self, dataset: Dataset, strategy: Strategy, space: Space, answer: Answer = mixed) -> None:
        def outcomes(ids: list[int], u: Floats) -> list[Outcome]:
            return [answer(point, value) for point, value in zip(ids, nll(u).tolist(), strict=True)]

        super().__init__(dataset, strategy, space, outcomes)


def play(folder, name: str, batches: int = BATCHES, space: Space = SPACE, seed: int = 3, answer: Answer = mixed):
    with open_dataset(folder, space.dim, 1) as dataset:
        run = Play(dataset, make(name, space, seed), space, answer)
        while len(run.batches) < batches and run.ask() is not None:
            pass
    return run


@functools.cache
def straight(name: str, space: Space = SPACE) -> tuple[Play, list[Told]]:
    """An uninterrupted scan, with which several tests compare, and the batches that its strategy was told."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        run = play(folder, name, space=space)
        return run, [run_told(folder, number) for number in range(1, run.told + 1)]


def physical(run: Play) -> np.ndarray:
    return np.concatenate([run.space.to_physical(batch.u) for batch in run.batches])


def test_every_type_is_tested():
    assert set(CASES) == set(TYPES) - {"READ_CSV"}  # READ_CSV chooses no points


@every
@pytest.mark.parametrize("space", [SPACE, KINDS], ids=["priors", "kinds"])
def test_points_are_in_the_space_and_none_is_asked_for_twice(name, space):
    run, told = straight(name, space)
    assert len(run.batches) == BATCHES
    u, x = np.concatenate([batch.u for batch in run.batches]), physical(run)
    assert ((u >= 0) & (u <= 1)).all()
    assert np.isfinite(x).all()
    assert space.inside(x).all()
    assert np.array_equal(u, space.snap(u))
    assert len(np.unique(row_keys(x))) == len(x)
    assert run.strategy.good == sum(int((batch.nll < 1.0).sum()) for batch in told)


def test_the_table_of_origins_has_those_that_are_set_and_no_others():
    played = {word for name in CASES for batch in straight(name)[0].batches for word in batch.origins}
    parts = {part.origin for room in PARTS_OF_LODE for part in vars(room).values() if isinstance(part, acquire.Part)}
    assert played | parts | {"init"} == set(ORIGINS)  # "init" are the rows of a table
    document = (ROOT / "docs" / "runs.md").read_text()
    (table,) = [text for text in document.split("\n\n") if text.startswith("| origin |")]
    names = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert sorted(re.findall(r"`(\w+)`", " ".join(names))) == sorted(ORIGINS)


def run_told(folder, number: int):
    with Dataset(folder, read_only=True) as dataset:
        return dataset.told(number)


@every
def test_priors_are_respected(tmp_path, name):
    """The first points are drawn from the priors. A grid has its steps at even quantiles, and other types start
    anywhere.
    """
    run = play(tmp_path, name, batches=1 if CASES[name].uniform else BATCHES)
    x = physical(run)
    priors = {0: stats.uniform(-3, 8), 1: stats.loguniform(1e-3, 1e3), 3: stats.norm(2.0, 0.5)}
    for column, prior in priors.items():
        quantiles = prior.cdf(x[:, column])
        if CASES[name].uniform:
            assert stats.kstest(quantiles, "uniform").pvalue > 1e-3
        elif name == "GRID":
            steps = (np.arange(7) + 0.5) / 7 if column == 3 else np.linspace(0, 1, 7)
            assert np.abs(quantiles[:, None] - steps).min(axis=1).max() < 1e-9
        else:
            np.testing.assert_allclose(quantiles, np.concatenate([b.u for b in run.batches])[:, column], atol=1e-6)


@every
def test_the_seed_alone_determines_the_points_whatever_the_global_state(tmp_path, name):
    first = straight(name)[0].batches
    np.random.seed(12345)  # noqa: NPY002
    torch.manual_seed(12345)
    assert same(first, play(tmp_path / "again", name).batches)
    other = play(tmp_path / "other", name, batches=1, seed=4).batches
    assert name == "GRID" or not np.array_equal(first[0].u, other[0].u)


@pytest.mark.parametrize(
    ("name", "space"),
    [
        pytest.param(
            name, space, id=f"{name}-{kind}", marks=[pytest.mark.slow] if (name, kind) == ("LODE", "kinds") else []
        )
        for name in CASES
        for kind, space in (("priors", SPACE), ("kinds", KINDS))
    ],
)
def test_a_scan_interrupted_at_every_batch_is_the_uninterrupted_one(tmp_path, name, space):
    """Each batch comes from a new object that knows only the dataset and the newest checkpoint."""
    expected = straight(name, space)[0].batches
    made: list[Batch] = []
    for _ in range(BATCHES):
        with open_dataset(tmp_path / "cut", space.dim, 1) as dataset:
            run = Play(dataset, make(name, space), space)
            run.resume()
            run.ask()
            made += run.batches
    assert same(made, expected)


@every
@pytest.mark.parametrize("statuses", [[Status.FAILED, Status.TIMED_OUT], [Status.INVALID]], ids=["failed", "invalid"])
def test_a_strategy_goes_on_if_no_point_has_an_nll(tmp_path, name, statuses):
    run = play(tmp_path, name, answer=only(*statuses))
    assert len(run.batches) == BATCHES
    assert run.strategy.good == 0
    assert len(np.unique(row_keys(physical(run)))) == sum(len(batch) for batch in run.batches)


@every
def test_a_strategy_goes_on_if_every_point_is_good(tmp_path, name):
    run = play(tmp_path, name, answer=lambda point, _: Outcome(point, Status.OK, 0.5, [0.5]))
    assert len(run.batches) == BATCHES
    assert run.strategy.good >= sum(len(batch) for batch in run.batches[: -1 - run.strategy.lag])


@every
def test_early_answers_do_not_change_the_points(tmp_path, name):
    """When a scan is resumed, the last `lag` batches are already answered, but the next ask must not see them."""
    with open_dataset(tmp_path / "a", 4, 1) as one, open_dataset(tmp_path / "b", 4, 1) as two:
        late, early = Play(one, make(name), SPACE), Play(two, make(name), SPACE)
        for _ in range(4):
            late.ask()
            early.ask()
            assert late.told == max(0, late.dataset.batches - 1 - late.strategy.lag)
        early.answer_up_to(early.dataset.batches)
        early.strategy = make(name)
        early.resume()
        assert same([late.ask()], [early.ask()])


@every
@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04 not quite", b"{}", b"[1]", b'{"x": 1}'])
def test_a_damaged_checkpoint_is_refused(name, data):
    with pytest.raises(CheckpointError, match="the checkpoint is not one of"):
        make(name).restore(data)


@every
@pytest.mark.parametrize("dim", [1, 2, 30])
def test_every_strategy_works_in_one_and_in_many_dimensions(tmp_path, name, dim):
    space = Space([Variable(f"x{n}", 0.0, 1.0, steps=300 if dim == 1 else 2) for n in range(dim)])
    run = play(tmp_path, name, batches=3, space=space)
    assert [batch.u.shape[1] for batch in run.batches] == [dim] * len(run.batches)
    assert len(run.batches) == (1 if name == "GRID" and dim == 2 else 3)


@every
def test_every_strategy_starts_from_known_points(tmp_path, name):
    """The points of an InitCSV have the origin init, are told before the first ask, and are not asked for again."""
    u = SPACE.snap(np.random.default_rng(1).random((30, 4)))
    u[0] = [0.4, 0.5, 0.5, 0.6]
    cut: list[Batch] = []
    for folder, pieces in (("whole", 1), ("cut", 4)):
        made: list[Batch] = []
        with open_dataset(tmp_path / folder, 4, 1) as dataset:
            known = with_nll(nll(u))
            dataset.add_batch(Batch(u, ["init"] * 30, 0), SPACE.to_physical(u), make(name).checkpoint(), known)
        for _ in range(pieces):
            with open_dataset(tmp_path / folder, 4, 1) as dataset:
                run = Play(dataset, make(name), SPACE)
                run.resume()
                for _ in range(4 // pieces):
                    run.ask()
                made += run.batches
        assert run.strategy.good >= 1
        assert cut == [] or same(cut, made)
        cut = made
    assert len(cut) == 4


# Single strategies


def test_a_grid_ends_with_its_last_point(tmp_path):
    space = Space(
        [
            Variable("a", 0.0, 1.0, steps=9),
            Variable("b", 1.0, 100.0, PriorKind.LOG_UNIFORM, steps=3),
            Variable("c", 1.0, 3.0, values=(3.0, 1.0)),
            Variable("d", 0.0, 2.0, periodic=True, steps=4),
        ]
    )
    run = play(tmp_path, "GRID", batches=100, space=space)
    expected = itertools.product(np.linspace(0, 1, 9), [1.0, 10.0, 100.0], [3.0, 1.0], [0.0, 0.5, 1.0, 1.5])
    np.testing.assert_allclose(physical(run), list(expected), rtol=1e-12)
    assert run.strategy.stop_reason == "all 216 points of the grid are asked"


def test_sobol_fills_more_evenly_than_random(tmp_path):
    counts = {}
    for name in ("SOBOL", "RANDOM"):
        u = np.concatenate([batch.u for batch in play(tmp_path / name, name, batches=7).batches])[:256, :2]
        counts[name] = len(np.unique((u * 16).astype(int), axis=0))
    assert counts["SOBOL"] == 256
    assert counts["RANDOM"] < 200
