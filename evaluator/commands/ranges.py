"""Values of a variable for points by hand: the middle of its range, and random values."""

from __future__ import annotations

import math

import numpy as np

from scanspec import PriorKind, Variable


def middle(variable: Variable) -> float:
    """The middle of a variable's range: of the logarithm for a log-uniform prior, the mean of a normal prior, the
    middle of the positive half for a symmetric prior, and the middle value of an integer or a choice.
    """
    if variable.values:
        return variable.values[len(variable.values) // 2]
    if variable.integer:
        return float((variable.low + variable.high) // 2)
    if variable.prior is PriorKind.NORMAL:
        mean, _ = variable.normal
        return min(max(mean, variable.low), variable.high)
    low = variable.inner if variable.prior.symmetric else variable.low
    if variable.prior in (PriorKind.LOG_UNIFORM, PriorKind.SYMMETRIC_LOG):
        return math.sqrt(low * variable.high)
    return (low + variable.high) / 2


def what_is_outside(variable: Variable, value: float) -> str:
    """A message for a value that the variable cannot have; empty for a possible value."""
    what = f"{variable.name} = {_exact(value)}"
    if variable.values:
        return "" if value in variable.values else f"{what} is none of its {len(variable.values)} values"
    if not variable.low <= value <= variable.high:
        if variable.fixed:
            return f"{what}, but the file fixes it at {_exact(variable.low)}"
        return f"{what} is outside its range, {_exact(variable.low)} to {_exact(variable.high)}"
    if variable.integer and not value.is_integer():
        return f"{what} is not a whole number"
    if abs(value) < variable.inner:
        return f"{what} is closer to 0 than its smallest magnitude, {_exact(variable.inner)}"
    return ""


def _exact(value: float) -> str:
    """A number with all its digits, because it may be close to another one."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def draw(variable: Variable, rng: np.random.Generator) -> float:
    """A random value in the range, distributed like the prior but for the tails of a normal prior. This is not the
    sampler of scans.
    """
    if variable.values:
        return variable.values[rng.integers(len(variable.values))]
    if variable.integer:
        return float(rng.integers(int(variable.low), int(variable.high), endpoint=True))
    if variable.prior is PriorKind.NORMAL:
        return min(max(rng.normal(*variable.normal), variable.low), variable.high)
    share = float(rng.random())
    low, sign = variable.low, 1.0
    if variable.prior.symmetric:
        low, sign = variable.inner, float(rng.choice([-1.0, 1.0]))
    if variable.prior in (PriorKind.LOG_UNIFORM, PriorKind.SYMMETRIC_LOG):
        value = math.exp((1.0 - share) * math.log(low) + share * math.log(variable.high))
    elif variable.prior is PriorKind.SINE:
        value = math.acos((1.0 - share) * math.cos(low) + share * math.cos(variable.high))
    else:
        value = (1.0 - share) * low + share * variable.high
    return sign * min(max(value, low), variable.high)
