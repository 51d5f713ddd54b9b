"""LODE in a local minimum: what it does while no new point is good and the lowest energy no longer falls."""

import numpy as np
import pytest

from benchmarks.search.problems import PROBLEMS
from proposer.drive import drive
from proposer.strategies.lode.energy import EnergyOfObservables, ScoredObservable
from proposer.strategies.lode.points import Points
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.spread import basins, stuck
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats
from scanspec import Kind, Likelihood
from tests.proposer.answered import told_of
from tests.proposer.searches import known_of

TARGET = Target(1.0)


def two_bowls(u: Floats) -> Floats:
    wide, narrow = ((u - 0.7) ** 2).sum(axis=1), ((u - [0.1, 0.2]) ** 2).sum(axis=1)
    return np.minimum(2.0 + 20.0 * wide, 4.0 + 200.0 * narrow)


def test_a_search_is_stuck_when_the_lowest_energy_no_longer_falls():
    u = np.random.default_rng(1).random((200, 2))
    falling = np.linspace(100.0, 2.0, 200)
    assert not stuck(known_of(u, falling))
    flat = np.maximum(falling, 60.0)
    assert stuck(known_of(u, flat))
    assert not stuck(known_of(u[:50], flat[:50]))
    good = flat.copy()
    good[3] = 0.5  # a good point long ago, and none since
    assert stuck(known_of(u, good))
    good[190] = 0.8
    assert not stuck(known_of(u, good))


def test_in_many_dimensions_it_takes_longer_until_a_search_counts_as_stuck():
    u = np.random.default_rng(1).random((240, 10))
    nll = np.append(np.linspace(100.0, 60.0, 130), np.full(110, 60.0))
    assert stuck(known_of(u[:, :4], nll))
    assert not stuck(known_of(u, nll))
    assert stuck(known_of(np.concatenate([u, u[:60] / 2.0]), np.append(nll, np.full(60, 60.0))))


def test_basins_are_local_minima_at_some_distance_from_each_other():
    u = np.random.default_rng(2).random((300, 2))
    of = basins(known_of(u, two_bowls(u)), 8)
    assert of[0] == np.argmin(two_bowls(u))
    assert (np.linalg.norm(u[of] - [0.1, 0.2], axis=1) < 0.1).sum() == 1
    refined = np.concatenate([u, 0.7 + 1e-3 * np.random.default_rng(3).standard_normal((60, 2))])
    left = refined[basins(known_of(refined, two_bowls(refined)), 8)]
    assert (np.linalg.norm(left - 0.7, axis=1) > 0.02).all()  # the minimum of that basin is known


def test_basins_are_found_even_where_losses_are_at_their_cap():
    """Far away every loss is at its cap, but the energy for finding basins still rises."""
    scored = EnergyOfObservables([ScoredObservable("y", Likelihood(Kind.GAUSS, 0.0, 1.0))], TARGET)
    points = Points(np.arange(1), scored, TARGET)
    y = np.array([[1e3], [1e5], [1e7]])
    points.add(told_of(np.array([[0.1], [0.5], [0.9]]), np.full(3, 711.0), y))
    rising = points.known().rising
    assert rising[0] < rising[1] < rising[2]


@pytest.mark.slow
def test_a_resonance_is_found_beside_a_wide_basin_that_is_bad():
    """Five of 100,000 points are good. Without other basins, a search stays in the corner of heavy masses."""
    problem = PROBLEMS["singlet2d"]
    strategy, evaluations = Lode(problem.space(), LodeSettings(Target(problem.threshold)), 0, problem.scored()), 0
    for told, _ in drive(strategy, problem.backend(), problem.space()):
        evaluations += len(told)
        if strategy.good >= 5 or evaluations >= 1800:
            break
    assert strategy.good >= 5
