"""The scale on which LODE learns observables of either sign."""

import numpy as np
import pytest
import torch

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.either import around_targets
from proposer.strategies.lode.process import Processes

U = np.random.default_rng(2).random((75, 4))
DIPOLE = 10.0 ** (3.0 * U[:, 0] - 3.0) * np.sin(2.0 * np.pi * U[:, 1]) * (0.3 + U[:, 2])
MASS = 120.0 + 9.0 * (U[:, 0] - U[:, 1] * U[:, 2])
PRODUCT = (2.0 * U[:, 0] - 1.0) * (2.0 * U[:, 1] - 1.0)
"""Its distances from 0 span as many decades as those of a dipole, but it is smooth."""


def scaled(y, mean, sigma):
    """The coding of y, shape (n,), before and after the choice, and the processes."""
    coding, values = Coding.of(y[:, None]), Processes(4, 1)
    aims = np.array([[mean], [sigma]])
    return coding, around_targets(coding, values, 2.0 * U - 1.0, y[:, None], aims), values


def test_a_tiny_target_is_resolved_beside_values_of_either_sign():
    mean, sigma = 2e-5, 5e-6
    before, after, _ = scaled(DIPOLE, mean, sigma)
    near = mean + sigma * np.array([[-4.0], [0.0], [4.0]])
    assert np.ptp(before.encode(near)) < 1e-3 < 0.03 < np.ptp(after.encode(near))
    assert after.decode(torch.from_numpy(after.encode(DIPOLE[:, None]))).numpy()[:, 0] == pytest.approx(DIPOLE)
    t = after.encode(DIPOLE[:, None])
    assert (t.mean(), t.std()) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert not after.left_by(DIPOLE[:, None])


def test_the_number_of_decades_does_not_decide_whether_a_target_is_resolved():
    """A rule with a limit missed targets whose distances spanned a little less."""
    for sigma in (1e-5, 1e-4, 2e-4):
        assert scaled(DIPOLE, 0.0, sigma)[1].width == pytest.approx(10.0 * sigma)


@pytest.mark.parametrize(("y", "mean"), [(MASS, 120.0), (PRODUCT, 0.0)])
def test_a_smooth_observable_keeps_its_scale_however_narrow_the_target_is(y, mean):
    for sigma in (1e-4, 1e-3, 1.0):
        before, after, values = scaled(y, mean, sigma)
        assert after.width == before.width
        assert not values.learned


def test_a_scale_follows_from_later_points_too():
    """With few points, the decades do not show. The processes of the other observables stay as they are."""
    y = np.stack([MASS, DIPOLE], axis=1)
    coding, values, aims = Coding.of(y), Processes(4, 2), np.array([[120.0, 0.0], [1e-3, 1e-4]])
    values.learn(2.0 * U - 1.0, coding.encode(y), np.random.default_rng(0))
    lengths = values.lengths.copy()
    after = around_targets(coding, values, 2.0 * U - 1.0, y, aims)
    assert after.width == pytest.approx([coding.width[0], 1e-3])
    assert (values.lengths[0] == lengths[0]).all()
    assert (values.lengths[1] != lengths[1]).any()
    again = around_targets(after, values, 2.0 * U - 1.0, y, aims)
    assert (again.width == after.width).all()


def test_observables_without_a_gaussian_likelihood_keep_their_scale():
    before, after, _ = scaled(DIPOLE, np.nan, np.nan)
    assert after.width == before.width
    assert after.middle == before.middle
