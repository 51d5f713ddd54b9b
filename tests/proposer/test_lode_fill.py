"""Beside good points, where a model does not see how thin a region is."""

import tracemalloc

import numpy as np
import pytest

from proposer.strategies.lode.fill import shape


@pytest.mark.parametrize("thin", [0.01, 0.1])
def test_axes_are_those_in_which_good_points_reach_equally_far(thin):
    rng = np.random.default_rng(1)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    good = 0.5 + 0.1 * rng.standard_normal((400, 3)) * [1.0, 0.5, thin] @ turn
    stretched = good @ np.linalg.inv(shape(good))
    reach = np.linalg.svd(stretched - stretched.mean(axis=0))[1]
    assert reach.max() < 1.01 * reach.min()


def test_many_points_take_no_memory_for_their_square():
    rng = np.random.default_rng(2)
    good = rng.random((20_000, 3))
    tracemalloc.start()
    axes = shape(good)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10 * good.nbytes and axes @ axes.T == pytest.approx(np.diag(np.diag(axes @ axes.T)), abs=1e-9)


def test_few_points_do_not_show_how_thin_a_region_is():
    one = np.array([[0.3, 0.4, 0.5]])
    assert np.linalg.svd(shape(one))[1] == pytest.approx([1.0, 1.0, 1.0])
    line = np.array([[0.3, 0.3, 0.3], [0.4, 0.4, 0.4], [0.5, 0.5, 0.5], [0.6, 0.6, 0.6]])
    assert np.linalg.svd(shape(line))[1] == pytest.approx([1.0, 0.25, 0.25])
