"""What only CMAES and CMAES_ND do: they rank points that are not OK, end, cope with whole numbers, and find several
modes.
"""

import itertools
import json
from pathlib import Path

import cma
import numpy as np
import pytest

from proposer.space import Space
from proposer.strategies import cmaes_nd
from proposer.strategies.choice import make_strategy
from proposer.strategies.cmaes import Cmaes, CmaesSettings
from proposer.strategies.cmaes_nd import ALL_WITHIN, FILL, CmaesNd, CmaesNdSettings
from proposer.strategies.novelty import novelty
from proposer.strategies.shortfall import Shortfall
from proposer.target import Target
from proposer.types import Observable, Status
from scanspec import Kind, Likelihood
from scanspec.likelihoods import LARGEST_LOSS
from scanspec.variables import Variable
from tests.proposer.answered import told_of
from tests.proposer.scripted import scripted
from tests.proposer.test_strategies import SPACE, make, nll

ROOT = Path(__file__).parents[2]


def within(low, high, name="o", valid=None):
    return Observable(name, "", "code", valid, Likelihood(Kind.CFUNCTION, lower=low, upper=high))


class Play:
    """Drives a strategy with a physics: `physics(x)` gives status and observables, NaN where missing."""

    def __init__(self, strategy, physics, observables):
        self.strategy, self.physics = strategy, physics
        self.likelihoods = [observable.likelihood for observable in observables]
        self.told, self.points, self.evaluated = [], [], 0
        self._steps = scripted(strategy, strategy.space, self.answers)

    def answers(self, x):
        status, values = self.physics(x)
        losses = np.stack([one.loss(values[:, j]) for j, one in enumerate(self.likelihoods)], axis=1)
        nll = np.where(status == Status.OK, losses.sum(axis=1), np.nan)
        self.points.append(np.column_stack([x, nll]))
        return status, nll, values

    def step(self):
        if (step := next(self._steps, None)) is None:
            return False
        self.told.append(step.told)
        self.evaluated += len(step.told.ids)
        return True

    def run(self, most):
        while self.evaluated < most and self.step():
            pass
        return np.concatenate(self.points)


def play(cls, variables, settings, physics, observables, seed=3):
    return Play(cls(Space(variables), settings, seed, observables), physics, observables)


def flats(n, low=0.0, high=1.0):
    return [Variable(f"x{k}", low, high) for k in range(n)]


@pytest.fixture
def ranked_by(monkeypatch):
    """The values that cma is given, one array a generation."""
    seen, tell = [], cma.CMAEvolutionStrategy.tell

    def noted(self, solutions, values):
        seen.append(np.array(values))
        tell(self, solutions, values)

    monkeypatch.setattr(cma.CMAEvolutionStrategy, "tell", noted)
    return seen


# Points that are not OK


def chain(x):
    """A first code with a narrow window, and a second code that runs only inside it. Three of 10^5 points are good."""
    first = 1000 * (x[:, 0] + x[:, 1] - 1.4)
    second = 1000 * (x[:, 2] - x[:, 3] + 0.5)
    ok = np.abs(first) <= 5
    return np.where(ok, Status.OK, Status.INVALID), np.column_stack([first, np.where(ok, second, np.nan)])


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("scored", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_losses_of_points_outside_a_window_lead_into_it(seed, scored):
    """This is BSMArt's example: if all points outside ranked the same, the search would never find the window."""
    first = Likelihood(Kind.CFUNCTION, lower=-5.0, upper=5.0) if scored else Likelihood()
    observables = [Observable("first", "", "a", (-5.0, 5.0), first), within(-5, 5, "second")]
    run = play(
        Cmaes, flats(4), settings=CmaesSettings(target=Target(1e-9)), physics=chain, observables=observables, seed=seed
    )
    points = run.run(1600)
    assert run.strategy.good >= 10
    blind = Play(Cmaes(Space(flats(4)), CmaesSettings(target=Target(1e-9)), seed), chain, observables)
    assert np.isfinite(blind.run(len(points))[:, -1]).sum() < np.isfinite(points[:, -1]).sum()


def test_an_unphysical_point_never_ranks_before_a_physical_one(ranked_by):
    """Only a condition makes the points with the lowest losses INVALID: these must not attract the search for good."""

    def physics(x):
        return np.where(x[:, 0] < 0.3, Status.INVALID, Status.OK), ((x - 0.2) ** 2).sum(axis=1)[:, None] * 100

    observables = [within(-1.0, 1.1)]
    run = play(Cmaes, flats(2), CmaesSettings(population_size=8, target=Target(1e-9)), physics, observables)
    points = run.run(1500)
    assert (points[:, -1] == 0).sum() > 100
    ok, values = run.told[0].status == Status.OK, ranked_by[0]
    assert ok.any() and not ok.all() and values[ok].max() < values[~ok].min()


def test_a_shortfall_has_a_column_for_every_way_in_which_a_point_is_not_good():
    observables = [within(0, 1, "a", (-10.0, 10.0)), Observable("b", "", "c", (2.0, np.inf), Likelihood())]
    shortfall = Shortfall(observables)
    values = np.array([[0.5, 3.0], [10.0, 1.0], [110.0, np.nan], [np.nan, 2.0]])
    status = np.array([Status.OK, Status.INVALID, Status.INVALID, Status.FAILED], np.int8)
    found = shortfall.columns(told_of(np.zeros((4, 1)), np.zeros(4), values, status=status))
    assert found.shape == (4, shortfall.width) and shortfall.names == ("a",)
    assert found[0].tolist() == [0, 0, 0, 0]
    assert found[1].tolist() == pytest.approx([1.0, 0, np.log10(2), 1], rel=1e-2)
    assert found[2, 1] == pytest.approx(np.log10(101)) and found[2, 2] > 700
    assert found[3, 0] > 700 and found[3, 1] > 700 and found[3, 2] == 0 and found[3, 3] == 1


# Starts of searches


def test_cmaes_finds_a_minimum_that_random_points_do_not():
    strategy = Cmaes(Space(flats(6)), CmaesSettings(population_size=12, target=Target(1.0)), 3)
    ended = list[int]()

    def bowl(u):
        ended.append(strategy.searches)
        return [Status.OK] * len(u), ((u - 0.7) ** 2).sum(axis=1) / 0.02**2, np.empty((len(u), 0))

    best = min(step.told.nll.min() for step in scripted(strategy, strategy.space, bowl, 160))
    assert best < 0.01
    assert strategy.good > 100
    assert ended[-1] > 0  # a search contracted and ended, and another one began


def test_cmaes_starts_from_the_best_known_point():
    u = SPACE.snap(np.random.default_rng(0).random((50, 4)))
    strategy, values = make("CMAES"), nll(u)
    strategy.tell(told_of(u, values, values[:, None], origins=["init"] * 50))
    assert np.abs(strategy.ask().u.mean(axis=0) - u[np.argmin(values)]).max() < 0.3


# Ends


def bowl(x):
    return np.full(len(x), Status.OK), ((x - 0.7) ** 2).sum(axis=1)[:, None]


def test_generations_and_episodes_end_a_scan():
    settings = CmaesSettings(population_size=10, target=Target(1e-9), generations=7, episodes=3)
    run = play(Cmaes, flats(3), settings, bowl, [within(-1, -0.5)])
    run.run(10**6)
    assert run.evaluated == 3 * 7 * 10
    assert run.strategy.stop_reason == "all 3 searches have ended (21 generations)"
    assert run.strategy.ask() is None
    alone = play(Cmaes, flats(3), CmaesSettings(10, 0.3, 0.05, Target(1e-9), episodes=1), bowl, [within(-1, -0.5)])
    alone.run(10**6)
    assert 30 <= alone.evaluated < 600 and alone.strategy.stop_reason.startswith("the search has ended")


def test_every_search_starts_at_the_mean():
    settings = CmaesSettings(population_size=10, sigma=1e-3, target=Target(1e-9), generations=1, mean=0.25)
    run = play(Cmaes, flats(3), settings, bowl, [within(-1, -0.5)])
    assert np.abs(run.run(40)[:, :3] - 0.25).max() < 0.02


# Whole numbers


@pytest.mark.parametrize("name", ["CMAES", pytest.param("CMAES_ND", marks=pytest.mark.slow)])
def test_generations_of_known_points_are_learned_from_and_not_asked_for(name):
    """On a coarse grid a search contracts to points that it has seen. A resumed search goes through the same
    generations.
    """

    def physics(x):
        return np.full(len(x), Status.OK), (x[:, 0] + 0.1 * x[:, 1] - 20)[:, None] ** 2

    variables = [Variable("n", 1.0, 30.0, integer=True), Variable("m", 1.0, 30.0, integer=True)]
    observables = [within(-1.0, 1e-6)]
    settings = {"CMAES": CmaesSettings(target=Target(1e-9)), "CMAES_ND": CmaesNdSettings(target=Target(1e-9))}[name]
    cls = {"CMAES": Cmaes, "CMAES_ND": CmaesNd}[name]
    run = play(cls, variables, settings, physics, observables)
    run.run(250)
    assert run.evaluated >= 250
    assert run.strategy.generations > len(run.told)  # in some generations no point was new
    assert run.strategy.good >= 2
    for cut in (len(run.told) // 2, len(run.told)):
        again = make_strategy(name, Space(variables), settings, 3, observables)
        for told in run.told[: cut - 1]:
            again.tell(told)
        again.restore(json.dumps({"generations": cut}).encode())
        again.tell(run.told[cut - 1])
        batch = again.ask()
        if cut < len(run.told):
            asked = Space(variables).to_physical(batch.u).tolist()
            assert all(row in asked for row in Space(variables).to_physical(run.told[cut].u).tolist())
        else:
            assert batch.u.tolist() == run.strategy.ask().u.tolist()


def test_in_an_exhausted_space_batches_have_no_new_point():
    variables = [Variable("n", 1.0, 3.0, integer=True), Variable("m", 0.0, 1.0, values=(0.0, 1.0))]

    def physics(x):
        return np.full(len(x), Status.OK), x[:, :1]

    run = play(Cmaes, variables, CmaesSettings(target=Target(0.5)), physics, [within(-2, -1)])
    for _ in range(10):
        run.step()
    assert run.evaluated == 6


# Novelty


def test_novelty_is_high_where_few_points_are():
    rng = np.random.default_rng(0)
    known = np.concatenate([rng.normal(0, 0.1, (900, 2)), rng.uniform(-3, 3, (100, 2))])
    near, far, outside = novelty(known, np.array([[0, 0], [2.5, -2.5], [9, 9]]), 30)
    assert near < 0.1 < 0.6 < far <= outside == 1.0
    scaled = novelty(known * [1e-6, 1e9], np.array([[0, 0], [2.5e-6, -2.5e9], [9e-6, 9e9]]), 30)
    np.testing.assert_allclose(scaled, [near, far, outside], atol=1e-12)  # another unit of a column changes nothing


@pytest.mark.parametrize(
    ("known", "points", "expected"),
    [
        ([[1.0], [1.0]], [[1.0], [1.5]], [0.0, 1.0]),  # all in one place
        ([[0.0], [1.0]], [[0.0], [1.0], [0.5], [2.0], [-1.0]], [0, 0, 1, 1, 1]),
        ([[-1e308], [1e308]], [[0.0]], [0.0]),  # the width overflows
        ([[3.0, 0.0], [3.0, 1.0]], [[3.0, 0.0], [4.0, 0.0]], [0.0, 1.0]),
    ],
)
def test_novelty_is_defined_for_degenerate_columns(known, points, expected):
    assert novelty(np.array(known), np.array(points), 10).tolist() == expected


CENTRES = np.array([[3, 2], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]])


def himmelblau(x):
    value = (x[:, 0] ** 2 + x[:, 1] - 11) ** 2 + (x[:, 0] + x[:, 1] ** 2 - 7) ** 2
    return np.full(len(x), Status.OK), value[:, None]


@pytest.mark.parametrize("seed", range(4))
def test_cmaes_nd_finds_and_fills_several_modes(seed):
    settings = CmaesNdSettings(population_size=12, sigma=0.5, target=ALL_WITHIN)
    run = play(
        CmaesNd, flats(2, -5.0, 5.0), settings=settings, physics=himmelblau, observables=[within(-1, 0.5)], seed=seed
    )
    points = run.run(2400)
    good = points[points[:, -1] == 0]
    modes = np.argmin(((good[:, None, :2] - CENTRES) ** 2).sum(axis=2), axis=1)
    counts = np.bincount(modes, minlength=4)
    assert (counts >= FILL).sum() >= 3 and len(good) > 500


def test_novelty_spreads_a_search(monkeypatch):
    monkeypatch.setattr(cmaes_nd, "FILL", 1000)  # only one search

    def stripe(x):
        return np.full(len(x), Status.OK), np.abs(x[:, 1:] - 0.5)

    focus = ("x0", "x1")
    shares = {"HBOS": 0, "none": 0}  # how many hundredths of the stripe have a good point
    for name, seed in itertools.product(shares, range(3)):
        own = CmaesNdSettings(population_size=12, sigma=0.1, target=ALL_WITHIN, novelty=name, mean=0.2, focus=focus)
        points = play(CmaesNd, flats(2), settings=own, physics=stripe, observables=[within(-1, 0.02)], seed=seed).run(
            480
        )
        shares[name] += len(np.unique((points[points[:, -1] == 0][:, 0] * 100).astype(int)))
    assert shares["HBOS"] > 1.5 * shares["none"], shares


def test_cmaes_nd_ranks_by_the_hierarchy_first(ranked_by):
    """As long as `early` is outside its bounds, `late` has the largest loss, whatever its value is."""
    observables = [within(0.0, 0.1, "late"), within(0.0, 0.1, "early")]

    def physics(x):
        values = np.full((len(x), 2), 0.05)
        values[0, 1] = values[1, 0] = 5.0
        return np.full(len(x), Status.OK), values

    settings = CmaesNdSettings(population_size=4, hierarchy=("early",), target=ALL_WITHIN)
    play(CmaesNd, flats(2), settings, physics, observables).run(8)
    early_fails, late_fails, *good = ranked_by[0]
    assert early_fails == 1.0 + 1.0 + 1.0  # the sum of both losses, each divided by the largest in this generation
    loss = observables[0].likelihood.loss(np.array([5.0]))[0]
    assert 0.0 < loss < 1.0 and late_fails == pytest.approx(1.0 + loss / LARGEST_LOSS)
    assert max(good) <= 1.0


def test_cmaes_nd_ends_if_nothing_is_good():
    settings = CmaesNdSettings(
        population_size=8,
        sigma=0.4,
        target=ALL_WITHIN,
        no_good_points_patience=40,
        best_loss_patience=5,
        best_valid_constraints_patience=5,
    )
    run = play(CmaesNd, flats(2), settings, bowl, [within(-2, -1)])
    run.run(10**6)
    assert 40 <= run.strategy.generations < 400 and "without a good point" in run.strategy.stop_reason
    run = play(CmaesNd, flats(2), CmaesNdSettings(population_size=8, generations=9), bowl, [within(-2, -1)])
    run.run(10**6)
    assert run.evaluated == 72 and run.strategy.stop_reason.startswith("9 generations are over")


def test_the_optimiser_ranks_good_points_by_their_focus():
    means = {}
    for direction in ("min", "max"):
        own = CmaesNdSettings(
            population_size=12, sigma=0.3, target=ALL_WITHIN, novelty="Optimiser", direction=direction, focus=("x0",)
        )
        points = play(CmaesNd, flats(2), own, bowl, [within(-1, 0.05)]).run(190)
        means[direction] = points[-60:, 0].mean()
    assert means["min"] < 0.6 < 0.8 < means["max"]
