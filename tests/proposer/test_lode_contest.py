"""If observables are predicted badly, LODE also learns from the NLL alone, and goes on with the better model."""

from typing import Any, cast

import numpy as np
import pytest

from benchmarks.search.problems import PROBLEMS, Problem
from proposer.drive import drive
from proposer.strategies.lode.contest import Contest, poor
from proposer.strategies.lode.points import Known
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats, Told
from scanspec import Kind, Likelihood
from tests.proposer.searches import first_steps, kept, known_of


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


def test_without_need_there_is_no_second_model(quick):
    strategy, _ = search(PROBLEMS["himmelblau2d"], 250)
    assert kept(strategy)["by_observables"]
    assert not [name for name in kept(strategy) if name.startswith("contest/")]


class Counted:
    """A model that only counts how often it is fitted."""

    fitted = True

    def __init__(self) -> None:
        self.fits = 0

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        self.fits += 1

    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        return np.full(len(u), 0.5)


def test_a_model_of_the_nll_that_is_behind_learns_only_when_there_are_a_quarter_more_points():
    rng, by_nll = np.random.default_rng(1), Counted()
    by_observables: Any = Counted()
    contest, u = Contest(lambda: cast("Any", by_nll)), rng.random((200, 2))
    fits = []
    for n in (100, 110, 124, 125, 150, 157):
        known = known_of(u[:n], np.where(np.arange(n) % 2, 0.5, 9.0), ["exploit"] * n)
        assert contest.winner(known, by_observables, rng) is by_observables
        fits.append(by_nll.fits)
    assert fits == [1, 1, 1, 2, 2, 3]


class Said:
    """A model that predicts the probabilities `says`, one for each point."""

    fitted = True

    def __init__(self, says: Floats) -> None:
        self.says = says

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        pass

    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        return self.says


@pytest.mark.parametrize("knows", [False, True])
def test_a_model_that_takes_no_point_for_good_wins_no_contest_when_few_are(knows: bool):
    """The mean square error of the prediction that no point is good is then far below that of an optimistic model."""
    rng = np.random.default_rng(1)
    u, good = rng.random((200, 2)), np.arange(200) % 10 == 0
    origins, nll = ["exploit"] * 200, np.where(good, 0.5, 9.0)
    by_nll: Any = Said(good[100:].astype(float) if knows else np.full(100, 0.01))
    by_observables: Any = Said(np.full(100, 0.6))
    contest = Contest(lambda: by_nll)
    assert contest.winner(known_of(u[:100], nll[:100], origins[:100]), by_observables, rng) is by_observables
    contest.expect(u[100:], by_observables, lambda: rng)
    assert (contest.winner(known_of(u, nll, origins), by_observables, rng) is by_nll) == knows


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
    both_learn, nll_is_ahead = kept(strategy)["contest/state"]
    assert both_learn and nll_is_ahead
    assert (nll[-150:] < SIGNED.threshold).mean() > 0.3


@pytest.mark.slow
def test_a_contest_goes_on_from_a_checkpoint(quick):
    problem = SIGNED
    strategy, answered = search(problem, 330, batch=40)
    assert [name for name in kept(strategy) if name.startswith("contest/record/")]
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
