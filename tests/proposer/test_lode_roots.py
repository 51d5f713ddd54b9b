"""The sign of the root of an observable."""

import numpy as np
import pytest

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.roots import corrected, signs
from proposer.types import Floats


def linear(x: Floats) -> Floats:
    return np.asarray(x @ np.array([1.0, -0.7, 0.4, 0.2, 0.9, -0.3, 0.1, 0.5]) + 0.4 * x[:, 0] * x[:, 1] - 0.2)


def products(x: Floats) -> Floats:
    return np.asarray(x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3] - 0.4 * x[:, 4] * x[:, 5])


def wave(x: Floats) -> Floats:
    return np.asarray(np.sin(2.5 * x[:, 0] + x[:, 1] + 3.5) + 0.5 * x[:, 2] - 0.1)


def falling(x: Floats) -> Floats:
    """An amplitude that spans decades with a mass and a coupling."""
    return np.asarray(10.0 ** (x[:, 4] - 0.5 * x[:, 3]) * (x[:, 0] + x[:, 1] * x[:, 2] - 0.3))


def loops(x: Floats) -> Floats:
    """Products of couplings that fall with the square of a mass."""
    return np.asarray(10.0 ** (-0.5 - x[:, 6]) * (x[:, 0] * x[:, 1] + x[:, 2] * x[:, 3] - 0.4 * x[:, 4] * x[:, 5]))


def agreement(found: Floats, amplitude: Floats) -> float:
    """The fraction of right signs; the sign of all together is arbitrary."""
    share = float((found == np.sign(amplitude)).mean())
    return max(share, 1.0 - share)


@pytest.mark.parametrize(
    ("amplitude", "dim", "count", "lowest"),
    [(linear, 8, 120, 0.97), (products, 6, 150, 0.97), (wave, 3, 150, 0.97), (falling, 5, 200, 0.9)],
)
def test_the_signs_of_an_amplitude_are_found_from_its_absolute_values(amplitude, dim, count, lowest):
    rng = np.random.default_rng(3)
    x = 2.0 * rng.random((count, dim)) - 1.0
    rate = np.square(amplitude(x))[:, None]
    root = Coding.of(rate).as_root(0, rate).encode(rate)[:, 0]
    found = signs(x, root, rng)
    assert agreement(found, amplitude(x)) > 0.9
    process = Processes(dim, 1)
    process.learn(x, (found * root)[:, None], rng)
    assert agreement(corrected(found, x, root, process), amplitude(x)) > lowest


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_polynomial_with_many_terms_does_not_win_with_wrong_signs(seed):
    rng = np.random.default_rng(seed)
    x = 2.0 * rng.random((5000, 7)) - 1.0
    low = np.argsort(np.abs(loops(x)))[:500]  # half of the points are there, as in a search
    x = np.concatenate([x[rng.choice(low, 120, replace=False)], x[-125:]])
    assert agreement(signs(x, np.abs(loops(x)), rng), loops(x)) > 0.8


def test_too_few_points_for_the_terms_and_roots_of_zero_do_no_harm():
    rng = np.random.default_rng(4)
    x = rng.random((12, 9))
    assert signs(x, rng.random(12), rng).tolist() == [1.0] * 12
    assert set(signs(rng.random((40, 2)), np.zeros(40), rng)) <= {-1.0, 1.0}
