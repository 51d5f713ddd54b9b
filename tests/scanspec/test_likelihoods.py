"""Every kind of likelihood against formulas worked out in 60 decimal digits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanspec import Kind, Likelihood, losses_and_nll
from scanspec.likelihoods import LARGEST_LOSS, cap
from tests.scanspec.likelihood_cases import ANY, M, cases, close, exact_loss

KINDS = list(Kind)


def loss(likelihood, x):
    return float(likelihood.loss(np.array([x]))[0])


def test_the_largest_loss_has_its_documented_value():
    assert math.isclose(LARGEST_LOSS, M, rel_tol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_likelihoods_compare_equal_even_with_a_constant_that_is_nan(kind):
    same = [Likelihood(kind), Likelihood(kind, mean=float("nan"))]
    assert same[0] == same[1] and len(set(same)) == 1
    assert same[0] != Likelihood(kind, 1.0, 2.0)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_those_of_the_exact_formula(kind):
    @settings(max_examples=200)
    @given(case=cases(kind))
    def check(case):
        likelihood, x = case
        value, exact = loss(likelihood, x), exact_loss(likelihood, x)
        assert close(value, exact), f"{likelihood} of {x!r}: {value!r}, exact {exact!r}"

    check()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf])
def test_an_observable_that_is_not_finite_has_the_largest_loss(kind, x):
    likelihood = Likelihood(kind, 1.0, 2.0, 0.5, 3.0)
    assert loss(likelihood, x) == (0.0 if kind is Kind.OFF else LARGEST_LOSS)


@pytest.mark.parametrize(
    ("likelihood", "x", "expected"),
    [
        (Likelihood(Kind.GAUSS, 125.2, 2.0), 127.2, cap(np.float64(0.5))),
        (Likelihood(Kind.UPPER, 3.0, 0.1), 3.0, cap(np.log(2.0))),
        (Likelihood(Kind.LOWER, 3.0, 0.1), 3.0, cap(np.log(2.0))),
        (Likelihood(Kind.UPPER, 0.0, 1.0), -800.0, 0.0),
        (Likelihood(Kind.LOWER, 0.0, 1.0), 800.0, 0.0),
        # ln(1 + e^t) is t where e^t overflows
        (Likelihood(Kind.UPPER, 0.0, 1.0), 5000.0, -LARGEST_LOSS * math.expm1(-5000 / LARGEST_LOSS)),
        (Likelihood(Kind.EXPUSER), 2000.0, LARGEST_LOSS * math.expm1(-2000 / LARGEST_LOSS)),
        (Likelihood(Kind.MINUSEXPUSER), 1e308, LARGEST_LOSS),
        (Likelihood(Kind.EXPUSER), 1e308, -LARGEST_LOSS),
        (Likelihood(Kind.SIGUSER), -1e308, LARGEST_LOSS),
        (Likelihood(Kind.GAUSS, 0.0, 1e-300), 1e300, LARGEST_LOSS),
        (Likelihood(Kind.USER), 0.0, LARGEST_LOSS),
        (Likelihood(Kind.USER), -1.0, LARGEST_LOSS),
        (Likelihood(Kind.BIAS, -2.0, 3.0), 2.0, LARGEST_LOSS),
        (Likelihood(Kind.BIAS, -2.0, 3.0), -2.0, 0.0),
        (Likelihood(Kind.BIAS, 2.0, 3.0), 0.0, LARGEST_LOSS),
        (Likelihood(Kind.CFUNCTION, lower=1.0, upper=2.0), 1.5, 0.0),
        (Likelihood(Kind.CFUNCTION, lower=1.0, upper=2.0), 11.0, cap(np.float64(1.0))),
        (Likelihood(Kind.CFUNCTION, lower=1.0, upper=2.0), -98.0, cap(np.float64(2.0))),
        (Likelihood(Kind.CFUNCTION, lower=1.0), 1e300, 0.0),
        (Likelihood(Kind.CFUNCTION, upper=2.0), -1e300, 0.0),
        (Likelihood(Kind.CFUNCTION, lower=1.0, upper=2.0, log_scaling=True), 2.0 * math.e**9, cap(np.float64(1.0))),
        # with LOG_SCALING, a bound of 0 or less does not limit, and a value of 0 or less has the largest loss
        (Likelihood(Kind.CFUNCTION, lower=-5.0, upper=2.0, log_scaling=True), 1e-300, 0.0),
        (Likelihood(Kind.CFUNCTION, lower=0.0, upper=2.0, log_scaling=True), 0.0, LARGEST_LOSS),
        (Likelihood(Kind.CFUNCTION, lower=1.0, upper=-2.0, log_scaling=True), 1e300, 0.0),
        (Likelihood(Kind.CFUNCTION, lower=1.0, upper=2.0, log_scaling=True), -1.0, LARGEST_LOSS),
    ],
)
def test_losses_agree_with_values_worked_out_by_hand(likelihood, x, expected):
    assert close(loss(likelihood, x), float(expected))


@settings(max_examples=200)
@given(raw=ANY)
def test_the_cap_is_odd_and_bounded_and_leaves_small_losses(raw):
    capped = float(cap(np.float64(raw)))
    assert abs(capped) <= LARGEST_LOSS
    assert capped == -float(cap(np.float64(-raw)))
    assert capped * raw >= 0
    if abs(raw) < 1e-6:
        assert abs(capped - raw) <= 1e-9 * abs(raw) + 1e-300


@settings(max_examples=100)
@given(values=st.lists(st.tuples(ANY, ANY, ANY), min_size=1, max_size=5))
def test_the_nll_is_the_sum_of_the_columns(values):
    likelihoods = [Likelihood(Kind.GAUSS, 1.0, 3.0), Likelihood(), Likelihood(Kind.MINUSEXPUSER)]
    x = np.array(values)
    losses, nll = losses_and_nll(likelihoods, x)
    assert losses.shape == x.shape and nll.shape == (len(values),)
    for j, likelihood in enumerate(likelihoods):
        np.testing.assert_array_equal(losses[:, j], likelihood.loss(x[:, j]))
    np.testing.assert_allclose(nll, [math.fsum(row) for row in losses], rtol=1e-14, atol=1e-300)
    assert (losses[:, 1] == 0).all()


def test_values_outside_the_domain_of_a_negative_bias_have_the_largest_loss() -> None:
    likelihood = Likelihood(Kind.BIAS, mean=-1.0, sigma=1.0)
    losses = likelihood.loss(np.array([0.0, 1.0, -math.e]))
    assert losses.tolist() == pytest.approx([LARGEST_LOSS, LARGEST_LOSS, -1.0], rel=1e-2)
