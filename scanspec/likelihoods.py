"""Likelihoods of observables, one implementation for numpy and torch.

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
"""M, the supremum of |loss| of one observable: ln(1 + largest double) + 1 = 710.7827."""

_HUGE = 1e150  # squares to a double


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


NEEDS_MEAN_AND_SIGMA = frozenset({Kind.GAUSS, Kind.UPPER, Kind.LOWER, Kind.LOG, Kind.BIAS})


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

    def loss(self, x: Array) -> Array:
        """Capped -ln L of each x, an array of any shape; same shape.

        A NaN or infinite x has the largest loss, except where the kind is OFF.
        """
        xp = array_namespace(x)
        if self.kind is Kind.OFF:
            return xp.zeros_like(x)
        usable = xp.isfinite(x) & self._in_domain(x)
        raw = self._raw_loss(xp, xp.where(usable, x, xp.ones_like(x)))
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
                z = xp.clip((x - m) / s, -_HUGE, _HUGE)
                return 0.5 * z * z
            case Kind.UPPER:
                return _softplus(xp, (x - m) / s)
            case Kind.LOWER:
                return _softplus(xp, (m - x) / s)
            case Kind.LOG:
                z = xp.clip((x - m) / s, -_HUGE, _HUGE)
                return xp.log1p(0.5 * z * z)
            case Kind.BIAS:
                return -s * (xp.log(xp.abs(x)) - math.log(abs(m)))
            case Kind.USER:
                return -xp.log(x)
            case Kind.SIGUSER:
                return _softplus(xp, -x)
            case Kind.EXPUSER:
                return -x
            case Kind.MINUSEXPUSER:
                return x
            case Kind.CFUNCTION:
                return xp.log1p(self._distance(xp, x)) / math.log(10.0)
        raise AssertionError(self.kind)

    def _distance(self, xp: Any, x: Array) -> Array:
        """Distance of x from [lower, upper], in ln x with `log_scaling`."""
        low, high = self.lower, self.upper
        if self.log_scaling:
            x = xp.log(x)
            low = math.log(low) if low > 0 else -math.inf
            high = math.log(high) if 0 < high < math.inf else math.inf
        d = xp.zeros_like(x)
        if low > -math.inf:
            d = xp.maximum(d, low - x)
        if high < math.inf:
            d = xp.maximum(d, x - high)
        return d


def cap(loss: Array) -> Array:
    """sgn(l) M (1 - exp(-|l| / M)): the identity for small |l|, at most M."""
    xp = array_namespace(loss)
    return -xp.sign(loss) * LARGEST_LOSS * xp.expm1(-xp.abs(loss) / LARGEST_LOSS)


def losses_and_nll(likelihoods: Sequence[Likelihood], observables: Array) -> tuple[Array, Array]:
    """Losses, shape (n, k), and their sums, shape (n,), of observables of shape (n, k)."""
    xp = array_namespace(observables)
    columns = [each.loss(observables[:, j]) for j, each in enumerate(likelihoods)]
    losses = xp.stack(columns, axis=1)
    return losses, xp.sum(losses, axis=1)


def _softplus(xp: Any, t: Array) -> Array:
    """ln(1 + e^t) without overflow."""
    return xp.maximum(t, xp.zeros_like(t)) + xp.log1p(xp.exp(-xp.abs(t)))
