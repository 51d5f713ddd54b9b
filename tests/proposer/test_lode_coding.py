"""The scale on which LODE learns observables."""

import numpy as np
import pytest
import torch

from proposer.strategies.lode_coding import Coding

RNG = np.random.default_rng(4)
RELIC = 10.0 ** RNG.uniform(-5, 6, 400)  # a relic density, of which 0.12 is wanted
MASS = RNG.normal(120.0, 4.0, 400)
SIGNED = np.sinh(RNG.normal(0.0, 6.0, 400))
RATIO = RNG.uniform(0.5, 20.0, 400)  # positive, but of one order or so


@pytest.fixture
def coding():
    return Coding.of(np.stack([RELIC, MASS, SIGNED, RATIO], axis=1))


def test_values_come_back(coding):
    y = np.stack([RELIC, MASS, SIGNED, RATIO], axis=1)
    t = coding.encode(y)
    assert t.std(axis=0) == pytest.approx(np.ones(4))
    assert t.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-9)
    assert coding.decode(torch.from_numpy(t)).numpy() == pytest.approx(y, rel=1e-9, abs=1e-9)


def test_only_what_is_positive_over_decades_is_a_logarithm(coding):
    assert (coding.floor > 0).tolist() == [True, False, False, False]
    assert not Coding.of(np.append(RELIC, -1e-9)[:, None]).floor.any()


def test_a_small_target_is_seen_beside_large_values(coding):
    y = np.full((3, 4), 1.0)
    y[:, 0] = 0.06, 0.12, 0.24
    t = coding.encode(y)[:, 0]
    assert np.diff(t).min() > 0.05  # without the logarithm they are one within 1e-6


def test_what_is_not_positive_later_is_the_floor(coding):
    y = np.full((3, 4), 1.0)
    y[:, 0] = 0.0, -3.0, coding.floor[0]
    t = coding.encode(y)[:, 0]
    assert np.isfinite(t).all()
    assert t[0] == t[1] == t[2]
    wild = torch.tensor([[-1e9] * 4, [1e9] * 4], dtype=torch.float64)
    assert bool(torch.isfinite(coding.decode(wild)).all())


def test_a_constant_has_no_scale_and_does_no_harm():
    y = np.full((20, 1), 7.0)
    coding = Coding.of(y)
    assert coding.decode(torch.from_numpy(coding.encode(y))).numpy() == pytest.approx(y)
