"""Likelihoods of observables; one implementation serves numpy and torch.

The kinds and their constants are those of BSMArt (arXiv:2301.01154); `docs/method.md`
lists the formulas. Every loss is -ln L, capped so that no point has an infinite NLL.
"""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

Array = Any  # numpy or torch: the array API has no common type

LARGEST_LOSS = math.log(sys.float_info.max) + 1.0
"""M, the upper bound of |loss| of one observable: ln(1 + largest double) + 1 = 710.7827."""

_FAR = 1e100  # its square is still a finite double


class Kind(enum.Enum):
    """The formulas, by their names in a scan file."""

    OFF = "OFF"
    GAUSS = "GAUSS"
    UPPER = "UPPER"
    LOWER = "LOWER"
    LOG = "LOG"
    BIAS = "BIAS"
    USER = "USER"
    SIGUSER = "SIGUSER"
    EXPUSER = "EXPUSER"
    MINUSEXPUSER = "MINUSEXPUSER"
    CFUNCTION = "CFUNCTION"


_BELOW_ZERO = frozenset({Kind.BIAS, Kind.USER, Kind.EXPUSER, Kind.MINUSEXPUSER})
NEEDS_MEAN_AND_SIGMA = frozenset({Kind.GAUSS, Kind.UPPER, Kind.LOWER, Kind.LOG, Kind.BIAS})
_TOGETHER = frozenset({Kind.GAUSS, Kind.UPPER, Kind.LOWER})


@dataclass(frozen=True)
class Likelihood:
    """How one observable x enters the likelihood.

    `mean`, `lower` and `upper` are in the unit of x, and so is `sigma`, a standard
    deviation, except for BIAS, where it is a pure number. Constants that the kind
    does not use are NaN (or open bounds).
    """

    kind: Kind = Kind.OFF
    mean: float = math.nan
    sigma: float = math.nan
    lower: float = -math.inf
    upper: float = math.inf
    log_scaling: bool = False

    @property
    def least(self) -> float:
        """The greatest lower bound of the loss."""
        return -LARGEST_LOSS if self.kind in _BELOW_ZERO else 0.0

    # Compared by their text: from Python 3.13 on, dataclasses compare field by field, and NaN is not equal to NaN.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Likelihood) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def describe(self) -> str:
        """The likelihood in a few words."""
        if self.kind is Kind.CFUNCTION:
            return f"CFUNCTION [{self.lower:.12g}, {self.upper:.12g}]{' in ln x' if self.log_scaling else ''}"
        if not math.isnan(self.mean):
            return f"{self.kind.value} {self.mean:.12g} +- {self.sigma:.12g}"
        return str(self.kind.value)

    def loss(self, x: Array) -> Array:
        """Capped -ln L of each x. The result has the shape of x, which may be any.

        A NaN or infinite x has the largest loss, except where the kind is OFF.
        """
        import numpy as np  # imported here, because workers do not compute losses and start faster without numpy

        xp = namespace(x)
        if self.kind is Kind.OFF:
            return xp.zeros_like(x)
        usable = xp.isfinite(x) & self._in_domain(x)
        harmless = -1.0 if self.kind is Kind.BIAS and self.mean < 0 else 1.0
        with np.errstate(over="ignore"):  # an infinite raw loss has a finite cap
            raw = self._raw_loss(xp, xp.where(usable, x, xp.full_like(x, harmless)))
            return xp.where(usable, cap(raw), xp.full_like(x, LARGEST_LOSS))

    def _in_domain(self, x: Array) -> Array:
        if self.kind is Kind.USER or (self.kind is Kind.CFUNCTION and self.log_scaling):
            return x > 0
        if self.kind is Kind.BIAS:
            return x * math.copysign(1.0, self.mean) > 0
        return x == x

    def _raw_loss(self, xp: Any, x: Array) -> Array:
        m, s = self.mean, self.sigma
        match self.kind:
            case Kind.GAUSS:
                z = xp.clip((x - m) / s, -_FAR, _FAR)
                return 0.5 * z * z
            case Kind.UPPER:
                return _softplus(xp, (x - m) / s)
            case Kind.LOWER:
                return _softplus(xp, (m - x) / s)
            case Kind.LOG:
                z = xp.clip((x - m) / s, -_FAR, _FAR)
                far = xp.abs(z) >= _FAR  # the square could overflow there, so its logarithm is computed
                half = xp.where(far, xp.abs(x / 2 - m / 2), xp.ones_like(x))
                square = 2 * (xp.log(half) + math.log(2.0) - math.log(s)) - math.log(2.0)
                return xp.where(far, square, xp.log1p(0.5 * z * z))
            case Kind.BIAS:
                return -s * _log_ratio(xp, x, m)
            case Kind.USER:
                return -xp.log(x)
            case Kind.SIGUSER:
                return _softplus(xp, -x)
            case Kind.EXPUSER:
                return -x
            case Kind.MINUSEXPUSER:
                return x
            case Kind.CFUNCTION:
                # half the distance cannot overflow: log1p(d) = ln 2 + ln(1/2 + d/2)
                half = self._half_distance(xp, x)
                near = xp.clip(half, 0.0, 1.0)
                loss = xp.where(half > 1.0, math.log(2.0) + xp.log(0.5 + half), xp.log1p(2.0 * near))
                return loss / math.log(10.0)
        raise AssertionError(self.kind)

    def _half_distance(self, xp: Any, x: Array) -> Array:
        """Half the distance of x from [lower, upper], in ln x with `log_scaling`."""
        half = xp.zeros_like(x)
        for sign, bound in ((-1.0, self.lower), (1.0, self.upper)):
            if math.isinf(bound) or (self.log_scaling and bound <= 0):
                continue
            difference = 0.5 * _log_ratio(xp, x, bound) if self.log_scaling else 0.5 * x - 0.5 * bound
            half = xp.maximum(half, sign * difference)
        return half


OFF = Likelihood()
"""Of an observable that is not part of the likelihood."""


def namespace(x: Array) -> Any:
    """The array functions of x's library. For numpy arrays this is numpy itself, because array_api_compat's wrapper
    imports f2py, which would delay each start of an evaluator.
    """
    import numpy as np

    return np if isinstance(x, np.ndarray) else array_namespace(x)


def cap(loss: Array) -> Array:
    """sgn(l) M (1 - exp(-|l| / M)): the identity for small |l|, at most M."""
    xp = namespace(loss)
    return -xp.sign(loss) * LARGEST_LOSS * xp.expm1(-xp.abs(loss) / LARGEST_LOSS)


def losses_and_nll(likelihoods: Sequence[Likelihood], observables: Array) -> tuple[Array, Array]:
    """The losses, shape (n, k), and their sums (the NLL), shape (n,), of observables, shape (n, k)."""
    xp = namespace(observables)
    if not likelihoods:  # a scan that only keeps spectra
        return observables, xp.sum(observables, axis=1)
    columns: list[Array] = [None] * len(likelihoods)
    for positions, likelihood in _together(likelihoods, observables):
        together = likelihood.loss(observables[:, positions])
        for number, j in enumerate(positions):
            columns[j] = together[:, number]
    losses = xp.stack(columns, axis=1)
    return losses, xp.sum(losses, axis=1)


def _together(likelihoods: Sequence[Likelihood], of: Array) -> list[tuple[list[int], Likelihood]]:
    """Groups likelihoods of one kind: their positions, and one Likelihood with arrays of their means and sigmas, of the
    type of `of`. For sixty likelihoods one by one, the calls themselves would take most of the time.
    """
    xp = namespace(of)
    alike: dict[Kind, list[int]] = {}
    found = []
    for j, likelihood in enumerate(likelihoods):
        if likelihood.kind in _TOGETHER and type(likelihood) is Likelihood:
            alike.setdefault(likelihood.kind, []).append(j)
        else:
            found.append(([j], likelihood))
    dtype = (1.0 * of[:0]).dtype  # observables may be whole numbers
    for kind, positions in alike.items():
        means, sigmas = ([getattr(likelihoods[j], name) for j in positions] for name in ("mean", "sigma"))
        found.append((positions, Likelihood(kind, *(xp.asarray(part, dtype=dtype) for part in (means, sigmas)))))
    return found


def _log_ratio(xp: Any, x: Array, reference: float) -> Array:
    """ln(x / reference) for x and reference of the same sign; precise also if the two are close."""
    apart = xp.log(xp.abs(x)) - math.log(abs(reference))
    near = xp.abs(apart) < 0.4
    excess = xp.where(near, x - reference, xp.zeros_like(x)) / reference
    return xp.where(near, xp.log1p(excess), apart)


def _softplus(xp: Any, t: Array) -> Array:
    """ln(1 + e^t) without overflow."""
    return xp.maximum(t, xp.zeros_like(t)) + xp.log1p(xp.exp(-xp.abs(t)))
