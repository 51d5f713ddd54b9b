"""The trend of a smooth energy: one Gaussian process leads to the region, and judges the first candidates there."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import spearmanr

from proposer.drive import drive
from proposer.evaluation.local import Answers, LocalFunction
from proposer.space import Space
from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.collect import judges
from proposer.strategies.lode.descend import SHARE, along_trend, downhill
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.points import Known, Points
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.strategies.lode.trend import APART, LEAST, Trend, lowest
from proposer.target import Target
from proposer.types import Told
from tests.proposer.answered import same, told_of
from tests.proposer.searches import first_steps, unit_cube

DIM = 15
WAY = np.linalg.qr(np.random.default_rng(8).normal(size=(DIM, DIM)))[0]


def valley(u: np.ndarray) -> np.ndarray:
    """An NLL in fifteen variables: six curved residuals in turned variables. No uniform point of 100,000 is good."""
    x = (u - 0.4) @ WAY
    return 45.0 * ((x[:, :6] + 0.5 * x[:, 6:12] ** 2) ** 2).sum(axis=1)


def rough(u: np.ndarray) -> np.ndarray:
    """An NLL that tells nothing about other points at distances as in a start."""
    return 5.0 + 4.0 * np.sin(40.0 * u.sum(axis=1))


def backend_of(nll: Callable[[np.ndarray], np.ndarray], space: Space) -> LocalFunction:
    ranges = {variable.name: (variable.low, variable.high) for variable in space.variables}
    return LocalFunction(lambda x: Answers(np.empty((len(x), 0)), nll(x)), ranges)


def known_of(nll: Callable[[np.ndarray], np.ndarray], n: int, seed: int = 1) -> Known:
    u = np.random.default_rng(seed).random((n, DIM))
    points = Points(np.arange(DIM), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, nll(u)))
    return points.known()


def near_of(good: int) -> Known:
    """Points around the middle of the region, so many of which are good."""
    u = np.clip(0.4 + 0.1 * np.random.default_rng(9).standard_normal((2000, DIM)), 0.0, 1.0)
    inside = valley(u) < 1.0
    u = np.concatenate([u[inside][:good], u[~inside][:100]])
    points = Points(np.arange(DIM), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, valley(u)))
    return points.known()


def trend_of(known: Known) -> Trend | None:
    return Trend.of(known, known.u, np.random.default_rng(7))


def context_of(known: Known, pending: np.ndarray | None = None) -> Context:
    energy = EnergyOfObservables([], Target(1.0))
    context = Context(
        known,
        np.empty((0, known.u.shape[1])) if pending is None else pending,
        OfNll(known.u.shape[1], energy, lambda u: 2.0 * u - 1.0),
        snap=lambda u: u,
        inputs=lambda u: 2.0 * u - 1.0,
        generator=lambda purpose: np.random.default_rng(len(purpose)),
    )
    context.n = 20
    return context


def test_a_smooth_energy_has_a_trend_and_a_rough_one_has_none():
    known = known_of(valley, 80)
    trend = trend_of(known)
    assert trend is not None
    assert trend(trend.at) == pytest.approx(np.log1p(np.sort(known.energy)), abs=0.01)
    u = np.random.default_rng(2).random((500, DIM))
    assert spearmanr(trend(u), valley(u)).statistic > 0.5
    assert trend_of(known_of(rough, 80)) is None
    few = known_of(valley, LEAST - 1)
    assert trend_of(few) is None


def test_points_without_an_nll_are_high_and_a_constant_has_no_trend():
    known = known_of(lambda u: np.where(u[:, 0] > 0.9, np.nan, valley(u)), 80)
    trend = trend_of(known)
    assert trend is not None
    assert len(trend.u) == 80
    assert (trend.u[-int(np.isnan(known.energy).sum()) :, 0] > 0.9).all()  # the highest
    flat = known_of(lambda u: np.full(len(u), 3.0), 40)
    assert trend_of(flat) is None
    invalid = known_of(lambda u: np.full(len(u), np.nan), 40)
    assert trend_of(invalid) is None


def test_the_probability_is_sure_at_known_points_and_unsure_far_from_them():
    known = near_of(40)
    trend = trend_of(known)
    assert trend is not None
    order = np.argsort(known.energy)
    probability = trend.probability(known.u[order])
    assert (probability[:5] > 0.9).all() and (probability[-20:] < 0.05).all()
    assert trend.probability(np.full((1, DIM), 0.95))[0] < 0.5


def test_the_lowest_points_of_the_trend_are_lower_and_apart():
    known = known_of(valley, 80)
    pending = known.u[np.argsort(known.energy)[:1]] + 0.01
    context = context_of(known, pending)
    assert context.trend is not None
    u = lowest(context.trend, context.positions, n=6, others=pending, rng=np.random.default_rng(4))
    assert u.shape == (6, DIM) and (u >= 0.0).all() and (u <= 1.0).all()
    assert np.median(valley(u)) < known.energy.min()
    every = np.concatenate([pending, u])
    between = np.linalg.norm(every[:, None] - every, axis=2)[np.triu_indices(7, 1)]
    assert between.min() >= APART * np.sqrt(DIM)


def test_the_trend_gets_its_share_of_a_batch_where_there_is_one():
    context = context_of(known_of(valley, 80))
    assert len(along_trend(context, 20)) == round(SHARE * 20)
    assert len(along_trend(context_of(known_of(rough, 80)), 20)) == 0


def test_the_trend_judges_alone_where_there_is_one():
    rng = np.random.default_rng(5)
    u = rng.random((10, DIM))
    smooth, other = context_of(near_of(40)), context_of(known_of(rough, 80))
    assert smooth.trend is not None and other.trend is None
    probability, others = judges(smooth, rng)
    assert probability(u) == pytest.approx(smooth.trend.probability(smooth.positions(u))) and not others
    other.surrogate.fit(other.known, rng)
    assert judges(other, rng)[0](u) == pytest.approx(other.surrogate.probability(u, rng))


def shallow(u: np.ndarray) -> np.ndarray:
    """An NLL in eight variables: four curved residuals in turned variables. 3.4e-4 of the cube is good."""
    x = (u - 0.4) @ np.linalg.qr(np.random.default_rng(8).normal(size=(8, 8)))[0]
    return 150.0 * ((x[:, :4] + 0.5 * x[:, 4:] ** 2) ** 2).sum(axis=1)


def test_in_up_to_ten_variables_the_trend_shares_a_batch_with_steps_downhill_and_judges_nothing():
    u = np.random.default_rng(3).random((200, 8))
    points = Points(np.arange(8), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, shallow(u)))
    context = context_of(points.known())
    context.surrogate.fit(context.known, np.random.default_rng(5))
    assert context.trend is not None and context.leading is None
    assert len(along_trend(context, 20)) == len(downhill(context, 20)) == round(SHARE / 2 * 20)
    probability, _ = judges(context, np.random.default_rng(5))
    assert probability(u) == pytest.approx(context.surrogate.probability(u, np.random.default_rng(5)))


@pytest.mark.slow
def test_a_map_by_the_nll_alone_goes_downhill_first(quick):
    """It does so if there are few evaluations and more than six variables. Otherwise 2 of 160 points are good."""
    space, settings = unit_cube(8), LodeSettings(Target(1.0), evaluations=300)
    answered = first_steps(drive(Lode(space, settings, 8, []), backend_of(shallow, space), space), 160)
    assert sum(int((shallow(told.u) < 1.0).sum()) for told in answered) > 10


@pytest.mark.slow
def test_many_good_points_come_soon_in_many_dimensions(quick):
    """Without the trend, twice as many evaluations are needed."""
    space = unit_cube(DIM)
    backend = backend_of(valley, space)
    strategy = Lode(space, LodeSettings(Target(1.0), 200, collect=True), 7, [])
    assert strategy.start_points == 75
    good = evaluations = 0
    for told, _ in drive(strategy, backend, space):
        evaluations += len(told)
        good += int((valley(told.u) < 1.0).sum())
        if good >= 60 or evaluations > 400:
            break
    assert evaluations <= 240


@pytest.mark.slow
def test_a_continued_search_follows_the_same_trend(quick):
    space, settings = unit_cube(DIM), LodeSettings(Target(1.0), 200, True)
    one, every = Lode(space, settings, 7, []), list[Told]()
    while not every or "probe" not in every[-1].origins or len(every) < 5:
        batch = one.ask()
        assert batch is not None and len(every) < 10
        every.append(told_of(batch.u, valley(batch.u), origins=batch.origins))
        one.tell(every[-1])
    other = Lode(space, settings, 7, [])
    for told in every:
        other.tell(told)
    other.restore(one.checkpoint())
    assert same([one.ask()], [other.ask()])
