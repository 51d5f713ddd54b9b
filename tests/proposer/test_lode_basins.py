"""Many separate regions: basins are followed to their minima, as long as that finds good points."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from benchmarks.search.kinds import balls, radius
from benchmarks.search.problems import Problem
from proposer.drive import drive
from proposer.strategies.lode.basins import began, minimum, share
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats
from tests.proposer.searches import first_steps, known_of

TARGET = Target(1.0)


def test_a_quadratic_form_is_lowest_where_the_function_is():
    rng = np.random.default_rng(1)
    v = np.concatenate([np.zeros((1, 3)), rng.standard_normal((13, 3))])
    bottom = np.array([0.5, -0.3, 0.2])
    round_ = 2.0 + 3.0 * ((v - bottom) ** 2).sum(axis=1)
    assert minimum(v, round_) == pytest.approx(bottom, abs=0.02)
    far = minimum(v, 2.0 + 3.0 * ((v - 20.0 * bottom) ** 2).sum(axis=1))
    assert far is not None and np.linalg.norm(far) == pytest.approx(1.5)
    beside_another = np.append(round_, [0.0, -1.0])  # this point belongs to a neighbouring basin with a lower minimum
    both = np.concatenate([v, [[1.2, 0.9, -1.0], [-1.0, 1.2, 0.7]]])
    assert minimum(both, beside_another) == pytest.approx(bottom, abs=0.02)
    assert minimum(v, 50.0 - 3.0 * ((v - bottom) ** 2).sum(axis=1)) is None


def test_a_good_point_without_good_neighbours_begins_a_new_region():
    u = np.concatenate([np.random.default_rng(2).random((60, 2)), [[0.2, 0.2], [0.201, 0.2], [0.8, 0.8]]])
    nll = np.append(np.full(60, 9.0), [0.5, 0.5, 0.5])
    known = known_of(u, nll, ["basin"] * 63)
    assert began(known, np.arange(63)) == 2
    assert began(known, np.arange(61, 63)) == 1


def test_the_share_of_basins_follows_what_they_find():
    u = np.random.default_rng(3).random((400, 3))
    nothing, number = np.full(400, 9.0), np.arange(400)
    every, first = np.where(number % 10 == 0, 0.5, 9.0), number < 200
    origins = ["basin"] * 200 + ["explore"] * 200
    assert share(known_of(u, nothing, origins)) < 0.01
    assert share(known_of(u, np.where(first, every, nothing), origins)) > 0.3
    assert share(known_of(u, np.where(first, nothing, every), origins)) < 0.01


@pytest.mark.slow
def test_many_small_regions_are_found(quick):
    """There are sixty balls. In the same number of evaluations a search without basins found 2 of them, and this one
    19.
    """
    centres, r = balls(3, 60, 1.5e-3, 3), radius(3, 60, 1.5e-3)

    def nll(x: Floats) -> Floats:
        return np.asarray(np.minimum((cKDTree(centres).query(x)[0] / r) ** 2, 60.0))

    problem = Problem("balls60", 3, 1.0, nll_only=nll)
    strategy = Lode(problem.space(), LodeSettings(Target(1.0)), 2, [])
    answered = first_steps(drive(strategy, problem.backend(), problem.space()), 1400)
    good = np.concatenate([told.u[told.nll < 1.0] for told in answered[: -strategy.lag]])
    assert len(np.unique(cKDTree(centres).query(good)[1])) > 8
