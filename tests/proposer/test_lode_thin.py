"""Coordinates that follow a thin region."""

import tracemalloc

import numpy as np
import pytest

from proposer.strategies.lode.thin import Thin, shape
from tests.proposer.searches import known_of


@pytest.mark.parametrize("thin", [0.01, 0.1])
def test_axes_are_scaled_by_the_extent_of_good_points(thin):
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    good = 0.5 + 0.1 * rng.standard_normal((400, 3)) * [1.0, 0.5, thin] @ turn
    stretched = good @ np.linalg.inv(shape(good))
    reach = np.linalg.svd(stretched - stretched.mean(axis=0))[1]
    assert reach.max() < 1.01 * reach.min()


def test_memory_does_not_grow_with_the_square_of_the_points():
    rng = np.random.default_rng(2)
    good = rng.random((20_000, 3))
    tracemalloc.start()
    axes = shape(good)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10 * good.nbytes and axes @ axes.T == pytest.approx(np.diag(np.diag(axes @ axes.T)), abs=1e-9)


def test_few_points_do_not_determine_the_thickness_of_a_region():
    one = np.array([[0.3, 0.4, 0.5]])
    assert np.linalg.svd(shape(one))[1] == pytest.approx([1.0, 1.0, 1.0])
    line = np.array([[0.3, 0.3, 0.3], [0.4, 0.4, 0.4], [0.5, 0.5, 0.5], [0.6, 0.6, 0.6]])
    assert np.linalg.svd(shape(line))[1] == pytest.approx([1.0, 0.25, 0.25])


def test_good_points_extend_equally_far_in_the_coordinates_and_come_back_to_the_cube():
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    good = 0.5 + 0.05 * rng.standard_normal((200, 3)) * [1.0, 0.5, 0.05] @ turn
    u = np.concatenate([good, rng.random((100, 3))])
    thin = Thin.of(known_of(u, np.repeat([0.5, 2.0], [200, 100])))
    inside = thin.known.u[thin.known.good]
    reach = np.linalg.svd(inside - inside.mean(axis=0))[1]
    assert len(inside) == 200 and reach.max() < 1.01 * reach.min()
    assert thin.there(u) == pytest.approx(thin.known.u)
    assert thin.back(thin.known.u) == pytest.approx(u)
