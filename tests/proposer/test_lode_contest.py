"""Where observables are predicted badly, LODE tries the NLL alone, and goes on with what predicts better."""

import numpy as np
import pytest

from benchmarks.search.problems import PROBLEMS, Problem
from proposer.drive import drive
from proposer.strategies.lode.contest import poor
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats
from scanspec import Kind, Likelihood
from tests.proposer.answered import told_of


def search(problem: Problem, most: int, seed: int = 3, batch: int = 200) -> Lode:
    """A search of at least `most` evaluations."""
    strategy = Lode(problem.space(), LodeSettings(Target(problem.threshold), batch), seed, problem.scored())
    evaluations = 0
    for told, _ in drive(strategy, problem.backend(), problem.space()):
        evaluations += len(told)
        if evaluations >= most:
            break
    return strategy


@pytest.mark.parametrize(("good", "expected"), [(80, False), (60, True)])
def test_a_model_is_poor_where_much_of_what_it_took_for_good_is_not(good, expected):
    u = np.random.default_rng(1).random((200, 2))
    nll = np.append(np.full(100, 9.0), np.where(np.arange(100) < good, 0.5, 9.0))
    for origins in (["explore"] * 100 + ["exploit"] * 100, ["exploit"] * 100 + ["solve"] * 100):
        points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
        points.add(told_of(u, nll, origins=origins))
        assert poor(points.known()) == expected
    points = Points(np.arange(2), EnergyOfObservables([], Target(1.0)), Target(1.0))
    points.add(told_of(u, nll, origins=["explore"] * 200))
    assert not poor(points.known())


def test_observables_that_are_learned_well_have_no_rival(quick):
    strategy = search(PROBLEMS["himmelblau2d"], 250)
    assert strategy._contest._by_nll is None


def signed(u: Floats) -> Floats:
    """An amplitude, shape (n, 1), whose sign is a convention that jumps all over the cube: its square is smooth."""
    sign = np.where(np.floor(17.0 * u).sum(axis=1) % 2 == 0, 1.0, -1.0)
    return (sign * 30.0 * ((u - [0.3, 0.6, 0.4]) ** 2).sum(axis=1))[:, None]


SIGNED = Problem("signed3d", 3, 1.0, likelihoods=(Likelihood(Kind.GAUSS, 0.0, 0.7),), observables=signed)


@pytest.mark.slow
def test_an_amplitude_whose_sign_jumps_is_mapped_by_the_nll(quick):
    """One of 40 points of the cube is good. Where the NLL is never tried, 2 of the last 150 points are."""
    strategy = search(SIGNED, 500)
    known = strategy._points.known()
    assert strategy._contest._won
    assert known.good[-150:].mean() > 0.3


@pytest.mark.slow
def test_a_contest_goes_on_from_a_checkpoint(quick):
    problem = SIGNED
    strategy = search(problem, 330, batch=40)
    assert strategy._contest._record is not None
    again = Lode(problem.space(), strategy.settings, 3, problem.scored())
    known = strategy._points.known()
    y, nll = problem.evaluate(known.u)
    again.tell(told_of(known.u, nll, y, origins=known.origins.tolist()))
    again.restore(strategy.checkpoint())
    u = np.random.default_rng(2).random((50, problem.dim))
    assert (again.probability(u) == strategy.probability(u)).all()
    for _ in range(2):
        batch, other = strategy.ask(), again.ask()
        assert batch is not None and other is not None
        assert (batch.u == other.u).all()
        assert batch.origins == other.origins
