"""If observables are predicted badly, LODE also learns from the NLL alone, and goes on with the better model."""

import numpy as np
import pytest
from torch import Tensor

from benchmarks.search.problems import PROBLEMS, Problem
from proposer.drive import drive
from proposer.strategies.lode.acquire import Context
from proposer.strategies.lode.contest import MODELS, Contest, poor
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.points import Known
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats, Told
from scanspec import Kind, Likelihood
from tests.proposer.answered import told_of
from tests.proposer.searches import first_steps, kept, known_of, points_of


def search(problem: Problem, most: int, seed: int = 3, batch: int = 200) -> tuple[Lode, list[Told]]:
    """A search of at least `most` evaluations, and its answered batches."""
    strategy = Lode(problem.space(), LodeSettings(Target(problem.threshold), batch), seed, problem.scored())
    return strategy, first_steps(drive(strategy, problem.backend(), problem.space()), most)


@pytest.mark.parametrize(("good", "expected"), [(80, False), (60, True)])
def test_a_model_is_poor_if_many_points_that_it_took_for_good_are_not(good, expected):
    u = np.random.default_rng(1).random((200, 2))
    nll = np.append(np.full(100, 9.0), np.where(np.arange(100) < good, 0.5, 9.0))
    for origins in (["explore"] * 100 + ["exploit"] * 100, ["exploit"] * 100 + ["solve"] * 100):
        assert poor(known_of(u, nll, origins)) == expected
    assert not poor(known_of(u, nll, ["explore"] * 200))


class Left(OfNll):
    """A model that takes the points with u0 from `low` to `low` + 0.2 for good; it does not learn."""

    fitted = True

    def __init__(self, low: float) -> None:
        super().__init__(2, EnergyOfObservables([], Target(1.0)), lambda u: u)
        self.low = low

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        """Does nothing."""

    def __call__(self, u: Tensor) -> Tensor:
        return 0.1 + 10.0 * (u[:, 0] - self.low - 0.1).abs()

    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        return np.full(len(u), 0.9)


def test_models_share_the_points_by_the_hits_of_those_that_each_chose():
    """Points are good where the model of the NLL expects them, and a tenth of the others."""
    rng = np.random.default_rng(4)
    by_observables, by_nll = Left(0.7), Left(0.1)
    contest, points = Contest(lambda: by_nll), points_of(Target(1.0), 2)

    def told(u: Floats, origins: list[str]) -> Context:
        good = (np.abs(u[:, 0] - 0.2) < 0.1) | (np.arange(len(u)) % 10 == 0)
        points.add(told_of(u, np.where(good, 0.5, 9.0), origins=origins))
        known = points.known()
        leading = contest.winner(known, by_observables, rng)
        return Context(known, u[:0], leading, snap=lambda u: u, inputs=lambda u: u, generator=lambda _: rng)

    context = told(
        np.concatenate([rng.random((30, 2)), rng.random((40, 2)) * [0.2, 1.0] + [0.7, 0.0]]),
        ["start"] * 30 + ["exploit"] * 40,
    )
    assert context.surrogate is by_observables
    first = contest.choose(context, 60)
    assert 10 <= len(first) <= 20 and (np.abs(first[:, 0] - 0.2) < 0.1).all()  # 0.75^4 of what is usual
    assert context.taken().shape == (context.known.good.sum() + len(first), 2)
    contest.expect(first, ["exploit"] * len(first))
    context = told(first, ["exploit"] * len(first))
    assert context.surrogate is by_nll
    assert len(contest.choose(context, 60)) == 0  # the other model hits a tenth, and 0.1^4 is nothing
    again = Contest(lambda: Left(0.1))
    again.load({name[8:]: value for name, value in contest.to_arrays().items()})
    again.ahead(by_observables)
    assert again.winner(points.known(), by_observables, rng) is not by_observables


def test_without_need_there_is_no_second_model(quick):
    strategy, _ = search(PROBLEMS["himmelblau2d"], 250)
    assert kept(strategy)["by_observables"]
    assert not [name for name in kept(strategy) if name.startswith("contest/")]


def signed(u: Floats) -> Floats:
    """An amplitude, shape (n, 1), whose sign is a convention that jumps everywhere. Its square is smooth."""
    sign = np.where(np.floor(17.0 * u).sum(axis=1) % 2 == 0, 1.0, -1.0)
    return (sign * 30.0 * ((u - [0.3, 0.6, 0.4]) ** 2).sum(axis=1))[:, None]


SIGNED = Problem("signed3d", 3, 1.0, likelihoods=(Likelihood(Kind.GAUSS, 0.0, 0.7),), observables=signed)


@pytest.mark.slow
def test_an_amplitude_whose_sign_jumps_is_mapped_by_the_nll(quick):
    """One of 40 points of the cube is good. Where the NLL is never tried, 2 of the last 150 points are."""
    strategy, answered = search(SIGNED, 500)
    nll = np.concatenate([told.nll for told in answered[: -strategy.lag]])
    both_learn, ahead = kept(strategy)["contest/state"]
    assert both_learn and ahead == MODELS - 1  # the model of the NLL
    assert (nll[-150:] < SIGNED.threshold).mean() > 0.3


@pytest.mark.slow
def test_a_contest_goes_on_from_a_checkpoint(quick):
    problem = SIGNED
    strategy, answered = search(problem, 330, batch=40)
    assert [name for name in kept(strategy) if name == "contest/chose/u"]
    again = Lode(problem.space(), strategy.settings, 3, problem.scored())
    for told in answered[: -strategy.lag]:
        again.tell(told)
    again.restore(strategy.checkpoint())
    u = np.random.default_rng(2).random((50, problem.dim))
    assert (again.probability(u) == strategy.probability(u)).all()
    for _ in range(2):
        batch, other = strategy.ask(), again.ask()
        assert batch is not None and other is not None
        assert (batch.u == other.u).all()
        assert batch.origins == other.origins
