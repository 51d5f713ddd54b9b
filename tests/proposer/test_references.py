"""The check of the reference points of the benchmark's problems."""

import numpy as np
import pytest

from benchmarks.search.metrics import Cells, good_draws
from benchmarks.search.problems import PROBLEMS
from benchmarks.search.references import check

PROBLEM = PROBLEMS["phase4d"]


@pytest.fixture(scope="module")
def reference() -> tuple[np.ndarray, float]:
    points, draws = good_draws(PROBLEM, np.random.default_rng(5))
    return points, len(points) / draws


def test_uniform_reference_points_pass(reference):
    points, share = reference
    seen = check(PROBLEM, Cells.of_points(points, share, 256), 1_200_000)
    assert seen.good >= 800
    assert abs(seen.ratio - 1.0) < 4.0 * seen.error
    assert seen.probability > 0.001


def test_a_wrong_good_share_is_seen(reference):
    points, share = reference
    seen = check(PROBLEM, Cells.of_points(points, 0.5 * share, 256), 1_200_000)
    assert abs(seen.ratio - 0.5) < 4.0 * seen.error


def test_reference_points_that_keep_away_from_a_wall_are_seen(reference):
    points, share = reference
    inside = points[np.random.default_rng(6).random(len(points)) < points[:, 0] / points[:, 0].max()]
    assert check(PROBLEM, Cells.of_points(inside, share, 256), 1_200_000).probability < 1e-6
