"""The parameter space and its unit cube.

Strategies see only the unit cube: u is the prior's cumulative distribution at x, so points drawn uniformly in the cube
follow the prior. The values of an integer or of a choice have equal shares of the unit interval, and every u in a share
is the same point. For a periodic variable, u = 1 is the same point as u = 0. With a symmetric prior, u below 0.5 is a
negative value.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from proposer.types import Floats
from scanspec.variables import PriorKind, Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Column = Callable[[Variable, Floats], Floats]

_FULL = 1e9  # standard deviations; beyond, a normal prior has no probability that doubles can resolve
_BELOW_HALF = np.nextafter(0.5, 0.0)  # u of the largest negative value of a symmetric prior: its sign is kept

FEW = 100_000
"""The largest finite space whose points are listed."""


class Space:
    """Maps between physical values and the unit cube, with one column per variable in the file's order.

    A fixed variable (low = high) has u = 0.5. `cardinality`: the number of values of each variable, 0 for a continuum.
    `width`: the number of columns that networks see. scanspec makes sure that the range of a normal prior reaches to
    within FARTHEST standard deviations of its mean.
    """

    def __init__(self, variables: Sequence[Variable]) -> None:
        self.variables = tuple(variables)
        self.names = [variable.name for variable in variables]
        self.dim = len(self.variables)
        self.fixed: NDArray[np.bool_] = np.array([variable.fixed for variable in variables], dtype=np.bool_)
        self.periodic: NDArray[np.bool_] = np.array([variable.periodic for variable in variables], dtype=np.bool_)
        self.periodic &= ~self.fixed
        self.cardinality: NDArray[np.int64] = np.array([variable.cardinality for variable in variables], dtype=np.int64)
        self.width = self.dim + int(self.periodic.sum())
        choices = [1 if variable.fixed else variable.cardinality for variable in variables]
        self.size: float = math.prod(choices) if all(choices) else math.inf
        """The number of points of the space; infinite for a continuum."""

    def to_physical(self, u: Floats) -> Floats:
        """Quantiles of the prior: maps u, shape (n, d), in [0, 1] to x, shape (n, d), which is finite and exactly in
        [low, high].
        """
        return self._by_column(u, _quantile)

    def to_unit(self, x: Floats) -> Floats:
        """Cumulative distribution of the prior: maps x, shape (n, d), to u, shape (n, d), in [0, 1]."""
        return self._by_column(x, _cumulative)

    def inside(self, x: Floats) -> NDArray[np.bool_]:
        """Whether each value, shape (n, d), is in the range of its variable; NaN is not."""
        low, high = np.array([[v.low, v.high] for v in self.variables]).T
        within: NDArray[np.bool_] = (low <= x) & (x <= high)
        for column, variable in enumerate(self.variables):
            if variable.values:
                within[:, column] = np.isin(x[:, column], variable.values)
            elif variable.integer:
                within[:, column] &= x[:, column] == np.rint(x[:, column])
            elif variable.inner:
                within[:, column] &= np.abs(x[:, column]) >= variable.inner
        return within

    def snap(self, u: Floats) -> Floats:
        """The canonical u, shape (n, d), of each point: the middle of a share, 0.5 for a fixed variable, 0 instead of 1
        for a periodic one, and u itself otherwise. to_unit gives the same.
        """
        if not (self.fixed.any() or self.periodic.any() or self.cardinality.any()):
            return u
        u = u.copy()
        u[:, self.fixed] = 0.5
        u[:, self.periodic] %= 1.0
        discrete = self.cardinality > 0
        n = self.cardinality[discrete]
        u[:, discrete] = (np.minimum(np.floor(u[:, discrete] * n), n - 1) + 0.5) / n
        return u

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """Draws n points from the prior, as u of shape (n, d)."""
        return self.snap(rng.random((n, self.dim)))

    def all_known(self, u: Floats) -> bool:
        """Whether u, shape (n, d), contains every point of a finite space."""
        return len(u) >= self.size and len(np.unique(self.snap(u), axis=0)) >= self.size

    def not_among(self, u: Floats, most: int, rng: np.random.Generator) -> Floats:
        """At most `most` random points of a finite space that are not in u, shape (n, d). It returns none if the space
        has more than FEW points, because random draws find new points there anyway.
        """
        if self.size > FEW:
            return np.empty((0, self.dim))
        shape = [1 if fixed else int(n) for fixed, n in zip(self.fixed, self.cardinality, strict=True)]
        cells = np.minimum(np.floor(u * shape).astype(np.int64), np.array(shape) - 1)
        left = np.setdiff1d(np.arange(int(self.size)), np.ravel_multi_index(tuple(cells.T), shape))
        chosen = np.unravel_index(rng.permutation(left)[:most], shape)
        return self.snap((np.stack(chosen, axis=1) + 0.5) / shape)

    def network_inputs(self, u: Floats) -> Floats:
        """The inputs of networks, shape (n, width): u scaled to [-1, 1], 0 for a fixed variable. A periodic variable
        has its cosine in its column and its sine in a further column at the end, so that both ends are the same point.
        """
        u = self.snap(u)
        inputs = 2.0 * u - 1.0
        if not self.periodic.any():
            return inputs
        angle = 2.0 * np.pi * u[:, self.periodic]
        inputs[:, self.periodic] = np.cos(angle)
        return np.concatenate([inputs, np.sin(angle)], axis=1)

    def _by_column(self, values: Floats, function: Column) -> Floats:
        if values.ndim != 2 or values.shape[1] != self.dim:
            raise ValueError(f"points of shape {values.shape} for {self.dim} variables")
        mapped = np.empty(values.shape)
        for column, variable in enumerate(self.variables):
            # contiguous, because numpy rounds some functions differently in strided arrays
            mapped[:, column] = function(variable, np.ascontiguousarray(values[:, column]))
        return mapped


def _quantile(variable: Variable, u: Floats) -> Floats:
    if variable.fixed:
        return np.full(len(u), variable.low)
    low, high = variable.low, variable.high
    if variable.prior.symmetric:
        return _mirror(variable, 2.0 * u - 1.0, _quantile)
    if variable.cardinality:
        index = np.minimum(np.floor(u * variable.cardinality), variable.cardinality - 1.0)
        return low + index if variable.integer else np.array(variable.values)[index.astype(np.int64)]
    if variable.periodic:
        u = u % 1.0
    if _flat(variable):
        x = low * (1.0 - u) + high * u
    elif variable.prior is PriorKind.SINE:
        x = _sine_quantile(u, low, high)
    elif variable.prior is PriorKind.LOG_UNIFORM:
        root = np.exp(0.5 * u * _log_ratio(np.array([high]), low))  # squared at the end: high / low may overflow
        x = low * root * root
    else:
        mean, sigma = variable.normal
        x = mean + sigma * _normal_quantile(u, _standard(variable, low), _standard(variable, high))
    return np.clip(x, low, high)


def _cumulative(variable: Variable, x: Floats) -> Floats:
    if variable.fixed:
        return np.full(len(x), 0.5)
    low, high = variable.low, variable.high
    if variable.prior.symmetric:
        u = 0.5 + 0.5 * _mirror(variable, x, _cumulative)
        return np.where(x < 0.0, np.minimum(u, _BELOW_HALF), u)
    if variable.cardinality:
        index = x - low if variable.integer else np.argmin(np.abs(x[:, None] - np.array(variable.values)), axis=1)
        return (np.clip(np.rint(index), 0.0, variable.cardinality - 1.0) + 0.5) / variable.cardinality
    if _flat(variable):
        u = (0.5 * x - 0.5 * low) / (0.5 * high - 0.5 * low)  # high - low may overflow
    elif variable.prior is PriorKind.SINE:
        u = _sine_mass(x, low) / _sine_mass(np.array([high]), low)
    elif variable.prior is PriorKind.LOG_UNIFORM:
        u = _log_ratio(x, low) / _log_ratio(np.array([high]), low)
    else:
        mean, sigma = variable.normal
        u = _normal_cumulative((x - mean) / sigma, _standard(variable, low), _standard(variable, high))
    u = np.clip(u, 0.0, 1.0)
    return u % 1.0 if variable.periodic else u


def _mirror(variable: Variable, values: Floats, function: Column) -> Floats:
    """Applies a function to the magnitudes of values, and keeps the signs."""
    kind = PriorKind.UNIFORM if variable.prior is PriorKind.SYMMETRIC else PriorKind.LOG_UNIFORM
    magnitude = replace(variable, low=variable.inner, prior=kind)
    mirrored: Floats = np.copysign(function(magnitude, np.abs(values)), values)
    return mirrored


def _sine_mass(x: Floats, low: float) -> Floats:
    """(cos(low) - cos(x)) / 2 without cancellation."""
    mass: Floats = np.sin(0.5 * (x + low)) * np.sin(0.5 * (x - low))
    return mass


def _sine_quantile(u: Floats, low: float, high: float) -> Floats:
    """Quantile of the density proportional to sin(x), computed from the nearer end of [0, pi]."""
    mass = _sine_mass(np.array([high]), low)
    from_zero, from_pi = np.sin(0.5 * low) ** 2 + u * mass, np.cos(0.5 * high) ** 2 + (1.0 - u) * mass
    near_zero, near_pi = (2.0 * np.arcsin(np.sqrt(share.clip(0.0, 1.0))) for share in (from_zero, from_pi))
    x: Floats = np.where(from_zero < 0.5, near_zero, np.pi - near_pi)
    return x


def _flat(variable: Variable) -> bool:
    """Whether the prior is uniform, or normal in a range so narrow that it is uniform to 10^-6, where logarithms would
    cancel.
    """
    if variable.prior is PriorKind.NORMAL:
        a, b = _standard(variable, variable.low), _standard(variable, variable.high)
        return (b - a) * max(1.0, abs(a), abs(b)) < 1e-6
    return variable.prior is PriorKind.UNIFORM


def _standard(variable: Variable, x: float) -> float:
    """A bound in standard deviations from the mean: infinite, or at most _FULL."""
    mean, sigma = variable.normal
    return x if np.isinf(x) else float(np.clip((x - mean) / sigma, -_FULL, _FULL))


def _log_ratio(x: Floats, low: float) -> Floats:
    """ln(x / low), exact near x = low and without overflow."""
    near = np.minimum(x, 2.0 * low)
    return np.where(x <= 2.0 * low, np.log1p((near - low) / low), np.log(x) - np.log(low))


def _normal_quantile(u: Floats, a: float, b: float) -> Floats:
    """Quantile of a standard normal distribution truncated to [a, b], in logarithms so that it is exact in
    far tails.
    """
    from scipy.special import log_ndtr, ndtri_exp  # here: only normal priors need it, and it is slow to load

    u = np.clip(u, 0.0 if np.isfinite(a) else 2.0**-54, 1.0 if np.isfinite(b) else 1.0 - 2.0**-53)
    mass = _log_mass(-b, -a) if a > 0 else _log_mass(a, b)
    with np.errstate(divide="ignore"):
        from_below = ndtri_exp(np.logaddexp(log_ndtr(a), np.log(u) + mass))
        from_above = -ndtri_exp(np.logaddexp(log_ndtr(-b), np.log1p(-u) + mass))
    return np.where(from_below < 0.0, from_below, from_above)  # each formula is exact on its own side of the mean


def _normal_cumulative(z: Floats, a: float, b: float) -> Floats:
    """Cumulative distribution of a standard normal distribution truncated to [a, b], at z within it."""
    z = np.clip(z, max(a, -_FULL), min(b, _FULL))
    if a > 0:
        return 1.0 - np.exp(_log_mass(-b, -z) - _log_mass(-b, -a))
    return np.exp(_log_mass(a, z) - _log_mass(a, b))


def _log_mass(a: float, b: float | Floats) -> Floats:
    """Logarithm of the standard normal probability between a and b >= a."""
    from scipy.special import log_ndtr

    with np.errstate(divide="ignore"):
        below, upto = log_ndtr(a), log_ndtr(b)
        return np.asarray(upto + np.log(-np.expm1(below - upto)))
