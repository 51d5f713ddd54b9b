"""The scale on which LODE learns observables."""

import numpy as np
import pytest
import torch

from proposer.strategies.lode.coding import Coding

RNG = np.random.default_rng(4)
RELIC = 10.0 ** RNG.uniform(-5, 6, 400)  # a relic density whose target is 0.12
MASS = RNG.normal(120.0, 4.0, 400)
SIGNED = np.sinh(RNG.normal(0.0, 6.0, 400))
RATIO = RNG.uniform(0.5, 20.0, 400)  # positive, but within about one order of magnitude


@pytest.fixture
def coding():
    return Coding.of(np.stack([RELIC, MASS, SIGNED, RATIO], axis=1))


def test_decoding_gives_the_values_back(coding):
    y = np.stack([RELIC, MASS, SIGNED, RATIO], axis=1)
    t = coding.encode(y)
    assert t.std(axis=0) == pytest.approx(np.ones(4))
    assert t.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-9)
    assert coding.decode(torch.from_numpy(t)).numpy() == pytest.approx(y, rel=1e-9, abs=1e-9)


def test_the_logarithm_of_the_slope_is_that_of_differences(coding):
    """Between observables with and without a logarithm, too, as marginal likelihoods of both are compared."""
    y = np.stack([RELIC, MASS, SIGNED, RATIO], axis=1)
    step = 1e-6 * np.maximum(np.abs(y), 1.0 * (coding.floor == 0.0))
    slope = (coding.encode(y + step) - coding.encode(y - step)) / (2.0 * step)
    above = (y - step > coding.floor) | (coding.floor == 0.0)
    assert coding.log_slope(y)[above] == pytest.approx(np.log(slope[above]), abs=1e-4)


def test_only_positive_values_over_several_decades_become_logarithms(coding):
    assert (coding.floor > 0).tolist() == [True, False, False, False]
    some, many = (np.where(RNG.random(400) < share, value, RELIC) for share, value in ((0.1, 0.0), (0.4, -1.0)))
    assert Coding.of(some[:, None]).floor == pytest.approx(0.1 * some[some > 0].min())
    assert not Coding.of(many[:, None]).floor.any()
    assert not Coding.of(-RELIC[:, None]).floor.any()


def test_the_scale_of_a_nearly_always_closed_channel_is_that_of_its_open_part():
    y = np.where(np.arange(400) < 20, RNG.uniform(0.1, 0.4, 400), 0.0)[:, None]
    coding = Coding.of(y)
    t = coding.encode(np.array([[0.0], [0.25]]))
    assert coding.decode(torch.from_numpy(t)).numpy() == pytest.approx(np.array([[0.0], [0.25]]), abs=1e-9)
    assert 1.0 < np.ptp(t) < 10.0


def test_a_small_target_is_resolved_beside_large_values(coding):
    y = np.full((3, 4), 1.0)
    y[:, 0] = 0.06, 0.12, 0.24
    t = coding.encode(y)[:, 0]
    assert np.diff(t).min() > 0.05  # without the logarithm they would agree to 1e-6


def test_later_values_that_are_not_positive_become_the_floor(coding):
    y = np.full((3, 4), 1.0)
    y[:, 0] = 0.0, -3.0, coding.floor[0]
    t = coding.encode(y)[:, 0]
    assert np.isfinite(t).all()
    assert t[0] == t[1] == t[2]
    wild = torch.tensor([[-1e9] * 4, [1e9] * 4], dtype=torch.float64)
    assert bool(torch.isfinite(coding.decode(wild)).all())


def test_an_observable_that_is_constant_does_no_harm():
    y = np.full((20, 1), 7.0)
    coding = Coding.of(y)
    assert coding.decode(torch.from_numpy(coding.encode(y))).numpy() == pytest.approx(y)


def test_data_that_leave_the_scale_are_noticed():
    """A channel was closed in all of the first points, so its scale would be that of rounding errors."""
    coding = Coding.of(np.zeros((60, 1)))
    assert not coding.left_by(np.zeros((10, 1)))
    assert coding.left_by(np.array([[0.0], [0.01]]))
    smooth = Coding.of(MASS[:200, None])
    assert not smooth.left_by(MASS[200:, None])
    assert not smooth.left_by(np.array([[160.0]]))


def test_targets_of_networks_are_distances_in_sigmas(coding):
    """Of the logarithm, too; a target that is not positive leaves the scale of the logarithm."""
    middle, unit = np.array([0.12, 120.0, 0.0, 1.0]), np.array([0.012, 2.0, 0.1, 0.5])
    resolved = coding.resolving(middle, unit)
    t = resolved.encode(np.array([[0.12 * np.exp(0.3), 126.0, -0.2, 0.0]]))
    assert t == pytest.approx(np.arcsinh([[3.0, 3.0, -2.0, -2.0]]))
    y = np.stack([RELIC, MASS, SIGNED, RATIO], axis=1)
    assert resolved.decode(torch.from_numpy(resolved.encode(y))).numpy() == pytest.approx(y, rel=1e-9, abs=1e-9)
    alone = coding.resolving(np.zeros(4), unit)
    assert (alone.middle[0], alone.width[0]) == (coding.middle[0], coding.width[0])


def test_the_unit_of_an_observable_does_not_matter():
    y = np.stack([RELIC, MASS, SIGNED, RATIO], axis=1)
    t = Coding.of(y).encode(y)
    for unit in (1e-45, 1e30):  # a cross section in cm2 is as small
        coding = Coding.of(unit * y)
        assert coding.encode(unit * y) == pytest.approx(t, rel=1e-9, abs=1e-9)
        assert coding.spread == pytest.approx(unit * Coding.of(y).spread, rel=1e-9)


def test_an_observable_that_is_always_zero_has_a_scale():
    for y in (np.zeros((400, 1)), np.full((400, 1), 1e-310)):
        coding = Coding.of(y)
        assert coding.encode(y) == pytest.approx(np.zeros((400, 1)))
        assert coding.width > 0


def test_a_mostly_positive_observable_of_either_sign_is_no_logarithm():
    """A target near 0 would otherwise be met by all negative values, which a logarithm cannot tell from 0."""
    mass, other = 100.0 * 10.0 ** RNG.random((2, 400))
    splitting = ((mass - other) * (mass - 0.8 * other) / 300.0)[:, None]
    assert 0.8 < (splitting > 0).mean() < 0.95
    coding = Coding.of(splitting)
    back = coding.decode(torch.from_numpy(coding.encode(splitting))).numpy()
    np.testing.assert_allclose(back, splitting, rtol=1e-6, atol=1e-6)
    early = Coding.of(splitting[splitting[:, 0] > 0])  # as if the first points had one sign
    assert early.floor[0] > 0
    assert early.left_by(splitting)
    assert not coding.left_by(splitting)


def test_special_values_and_rounding_errors_leave_a_logarithm():
    rate = 10.0 ** RNG.uniform(-12.0, -2.0, 400)
    special = np.where(RNG.random(400) < 0.1, RNG.choice([-1.0, -2.0, -999.0, 0.0], 400), rate)
    rounded = np.where(RNG.random(400) < 0.1, -1e-16 * RNG.random(400), rate)
    y = np.stack([special, rounded], axis=1)
    coding = Coding.of(y)
    assert (coding.floor > 0).all()
    assert not coding.left_by(y)
