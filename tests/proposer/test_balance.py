"""SMOTE, class weights and balanced training sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proposer.strategies.balance import balanced, positive_weight, synthetic_points


def points(n: int, dim: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, dim))


def labels(n_good: int, n_bad: int) -> np.ndarray:
    return np.random.default_rng(1).permutation(np.repeat([True, False], [n_good, n_bad]))


@settings(max_examples=60)
@given(
    n_good=st.integers(0, 12),
    n_bad=st.integers(0, 40),
    neighbours=st.integers(1, 20),
    most=st.integers(1, 30),
    seed=st.integers(0, 2**31),
)
def test_smote_gives_the_number_of_points_that_the_method_says_for_any_mixture(n_good, n_bad, neighbours, most, seed):
    """The published code crashes with few bad points, with few good points, and if k is too large."""
    u, good = points(n_good + n_bad), labels(n_good, n_bad)
    new = synthetic_points(u, good, neighbours, most, np.random.default_rng(seed))
    expected = min(n_bad - n_good, most) if n_good >= 2 and n_bad > n_good else 0
    assert new.shape == (expected, 3)
    assert ((new >= 0) & (new <= 1)).all()
    assert not set(map(bytes, new)) & set(map(bytes, u))


def test_new_points_lie_between_good_points():
    u, good = points(60), labels(6, 54)
    ends = u[good]
    for point in synthetic_points(u, good, 2, 40, np.random.default_rng(0)):
        detours = np.linalg.norm(ends[:, None] - point, axis=2) + np.linalg.norm(ends[None, :] - point, axis=2)
        detours -= np.linalg.norm(ends[:, None] - ends[None, :], axis=2)
        np.fill_diagonal(detours[:, :, 0] if detours.ndim == 3 else detours, np.inf)
        assert detours.min() < 1e-12


def test_smote_uses_only_the_nearest_neighbours():
    """Two clusters of three: with k = 2 no new point lies between the clusters, with k = 5 some do."""
    cluster = points(3) * 0.01
    u = np.concatenate([cluster, cluster + 0.9, points(40)])
    good = np.arange(len(u)) < 6
    middle = {}
    for k in (2, 5):
        first = synthetic_points(u, good, k, 30, np.random.default_rng(0))[:, 0]
        middle[k] = ((first > 0.1) & (first < 0.8)).sum()
    assert middle[2] == 0
    assert middle[5] > 0


def test_smote_keeps_fixed_columns_and_makes_no_point_of_equal_ones():
    u, good = points(30), labels(5, 25)
    u[:, 1] = 0.5
    assert (synthetic_points(u, good, 5, 20, np.random.default_rng(0))[:, 1] == 0.5).all()
    u[good] = 0.25
    assert len(synthetic_points(u, good, 5, 20, np.random.default_rng(0))) == 0


def test_synthetic_points_depend_only_on_their_generator():
    u, good = points(50), labels(8, 42)
    np.random.seed(1)  # noqa: NPY002
    first = synthetic_points(u, good, 5, 20, np.random.default_rng(7))
    np.random.seed(2)  # noqa: NPY002
    assert np.array_equal(first, synthetic_points(u, good, 5, 20, np.random.default_rng(7)))
    assert not np.array_equal(first, synthetic_points(u, good, 5, 20, np.random.default_rng(8)))


@pytest.mark.parametrize(
    ("n_good", "n_bad", "has_init", "weight"),
    [
        (5, 95, False, 19.0),
        (9, 91, False, 91 / 9),
        (10, 90, False, 1.0),
        (5, 95, True, 1.0),
        (0, 9, False, 1.0),
        (9, 0, False, 1.0),
    ],
)
def test_rare_good_points_weigh_more(n_good, n_bad, has_init, weight):
    assert positive_weight(labels(n_good, n_bad), has_init=has_init) == pytest.approx(weight)


@given(n_good=st.integers(1, 30), n_bad=st.integers(0, 60), seed=st.integers(0, 2**31))
def test_a_balanced_set_has_all_good_points_and_equally_many_bad_ones(n_good, n_bad, seed):
    good = labels(n_good, n_bad)
    late = np.random.default_rng(seed).random(len(good)) < 0.5
    rows = balanced(good, late, np.random.default_rng(seed))
    assert len(set(rows.tolist())) == len(rows)
    assert good[rows].sum() == n_good
    assert (~good[rows]).sum() == min(n_good, n_bad)


def test_bad_points_are_drawn_again_from_all_bad_points_for_each_fit():
    """The published code always trains on the first bad points."""
    good = np.arange(300) < 10
    used = set()
    for seed in range(200):
        used.update(balanced(good, np.zeros(300, dtype=bool), np.random.default_rng(seed)).tolist())
    assert len(used) == 300


@pytest.mark.parametrize(
    ("n_late", "n_early", "drawn"), [(50, 5000, 10), (4, 5000, 4), (50, 3, 17), (50, 0, 20), (5, 4, 5)]
)
def test_half_of_the_bad_points_are_late_ones(n_late, n_early, drawn):
    """All late points are taken if they are fewer than half, and more than half if there are not enough others."""
    good = labels(20, n_late + n_early)
    late = np.zeros(len(good), dtype=bool)
    late[np.flatnonzero(~good)[n_early:]] = True
    late[np.flatnonzero(good)[:5]] = True  # only the bad ones among these count
    rows = balanced(good, late, np.random.default_rng(0))
    assert (late & ~good)[rows].sum() == drawn
    assert (~good)[rows].sum() == min(20, n_late + n_early)
