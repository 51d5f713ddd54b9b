"""Likelihoods in 60 decimal digits, and random constants for them. The tests for numpy and for torch share these."""

import math
import sys
from decimal import Context, Decimal, localcontext

from hypothesis import strategies as st

from scanspec import Kind, Likelihood

M = 710.782712893384
"""The largest loss (710.7827) in full precision."""

ANY = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=1e-307, allow_infinity=False)
# observables within a few sigma of the mean, and observables anywhere
STEPS = st.one_of(st.floats(-50, 50), st.floats(-800, 800), st.floats(-1e-9, 1e-9))


@st.composite
def cases(draw, kind):
    """Hypothesis' strategy for a likelihood of this kind and an observable."""
    if kind is Kind.CFUNCTION:
        return draw(_cfunctions())
    if kind in (Kind.GAUSS, Kind.UPPER, Kind.LOWER, Kind.LOG, Kind.BIAS):
        mean = draw(st.one_of(st.floats(-1e6, 1e6), ANY))
        sigma = draw(st.one_of(st.floats(1e-6, 1e6), POSITIVE))
        if kind is Kind.BIAS and mean == 0:
            mean = 1.0
        near = mean + draw(STEPS) * sigma
        x = draw(st.one_of(st.just(near if math.isfinite(near) else mean), ANY, _around(mean)))
        return Likelihood(kind, mean, sigma), x
    return Likelihood(kind), draw(st.one_of(st.floats(-50, 50), st.floats(-1000, 1000), ANY, _around(1.0)))


def _around(value):
    """The value itself and numbers that differ from it in the last digits."""
    return st.integers(-5, 5).map(lambda n: value + n * math.ulp(value)).filter(math.isfinite)


@st.composite
def _cfunctions(draw):
    log_scaling = draw(st.booleans())
    bounds = sorted((draw(st.one_of(st.floats(-1e3, 1e3), ANY)), draw(st.one_of(st.floats(-1e3, 1e3), ANY))))
    which = draw(st.sampled_from(["both", "lower", "upper"]))
    lower = bounds[0] if which != "upper" else -math.inf
    upper = bounds[1] if which != "lower" else math.inf
    x = draw(st.one_of(ANY, st.floats(-1e3, 1e3), _around(bounds[0]), _around(bounds[1])))
    return Likelihood(Kind.CFUNCTION, lower=lower, upper=upper, log_scaling=log_scaling), x


def exact_loss(likelihood, x):
    """The capped loss as a float, from an independent implementation of the formulas."""
    with localcontext(Context(prec=60, Emin=-(10**6), Emax=10**6)):
        largest = (1 + Decimal(sys.float_info.max)).ln() + 1
        raw = _raw(likelihood, Decimal(x)) if math.isfinite(x) else None
        if likelihood.kind is Kind.OFF:
            return 0.0
        if raw is None:
            return float(largest)
        size = abs(raw) / largest
        capped = largest * (1 - (-size).exp()) if size < 1000 else largest
        return float(capped.copy_sign(raw))


def _raw(likelihood, x):
    """-ln L; None where L is not defined or 0."""
    kind = likelihood.kind
    m, s = (Decimal(number) if math.isfinite(number) else None for number in (likelihood.mean, likelihood.sigma))
    match kind:
        case Kind.OFF:
            return Decimal(0)
        case Kind.GAUSS:
            return (x - m) ** 2 / (2 * s**2)
        case Kind.LOG:
            return (1 + (x - m) ** 2 / (2 * s**2)).ln()
        case Kind.UPPER:
            return _minus_log_of_logistic((m - x) / s)
        case Kind.LOWER:
            return _minus_log_of_logistic((x - m) / s)
        case Kind.SIGUSER:
            return _minus_log_of_logistic(x)
        case Kind.BIAS:
            return -s * (x / m).ln() if x / m > 0 else None
        case Kind.USER:
            return -x.ln() if x > 0 else None
        case Kind.EXPUSER:
            return -x
        case Kind.MINUSEXPUSER:
            return x
    return _cfunction(likelihood, x)


def _minus_log_of_logistic(t):
    """-ln(1 / (1 + e^-t)); below -400 it is -t to 170 digits."""
    return -t if t < -400 else (1 + (-t).exp()).ln() if t < 100_000 else Decimal(0)


def _cfunction(likelihood, x):
    if likelihood.log_scaling and x <= 0:
        return None
    distance = Decimal(0)
    for bound, sign in ((likelihood.lower, 1), (likelihood.upper, -1)):
        if math.isinf(bound) or (likelihood.log_scaling and bound <= 0):
            continue
        b = Decimal(bound)
        distance = max(distance, sign * (b.ln() - x.ln()) if likelihood.log_scaling else sign * (b - x))
    return (1 + distance).log10()


def close(value, exact):
    """Equal to 1e-12, relative, or absolute near 0."""
    return abs(value - exact) <= 1e-12 * abs(exact) + 1e-14
