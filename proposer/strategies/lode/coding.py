"""Transforms observables to a scale for a regression: with about unit variance, and without far outliers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from proposer.types import Floats

DECADES = 2.0
"""A positive observable whose central 90 % span this many decades is learned as its logarithm. On the scale of its
largest values, a target of 0.12 could not be resolved.
"""
FARTHER = 20.0
"""Values have left the scale if they are this many times farther out than all values that defined the scale."""
MOSTLY = 0.8
"""The fraction of points that suffices to call an observable positive, for example a relic density that a code sets to
0 or -1 if there is none.
"""
LINEAR = 1000.0
"""asinh(s) is linear enough if the width is LINEAR times as large as that from the quartiles."""
SIGNED = 5
"""An observable with this many different negative values, each as large as its small positive values are, has either
sign. A logarithm would give all of them the same value. A code has fewer special values.
"""
_LEAST_SIZE = 1e-290  # values below it count as zero, because a millionth of them may not be a number
_LEAST_OF_SOME = 0.1  # of the smallest positive value, if some values are not positive
_LEAST = 1e-6  # of the smallest value so far: the lower end of the logarithm for later values


@dataclass
class Coding:
    """The transformation of observables y to targets t = (asinh((s - middle) / width) - mean) / deviation, where s is
    ln y, the root of y, the square of y with the sign of y, or y.

    All arrays have shape (k,). `floor` is the smallest value of an observable that is learned as a logarithm, 0 for
    other observables. `spread` is three times the distance of the quartiles, in the unit of y. `reach` is the largest
    |s - middle| / width, at least 1. `root` is 1 for an observable that is learned as a root of either sign, else 0.
    Such targets have no sign before `roots.py` finds it. `square` is 1 for an observable that is learned as its square.
    """

    floor: Floats
    middle: Floats
    width: Floats
    mean: Floats
    deviation: Floats
    spread: Floats
    reach: Floats
    root: Floats
    square: Floats

    @classmethod
    def of(cls, y: Floats, alone: NDArray[np.bool_] | None = None) -> Coding:
        """The transformation from median and quartiles of y, shape (n, k), so that outliers do not set the scale. The
        values `alone`, shape (n, k), which do not come from physics, are ignored.
        """
        if alone is not None and alone.any():
            parts = [cls.of(y[~alone[:, j], j : j + 1]) for j in range(y.shape[1])]
            return cls(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))
        least, low, high = _positive(y)
        wide = ((y > 0).mean(axis=0) >= MOSTLY) & (high / 10.0**DECADES > low) & (_negative(y) < SIGNED)
        below = np.where((y > 0).all(axis=0), _LEAST, _LEAST_OF_SOME)
        floor, spread = np.where(wide, below * least, 0.0), _width(y)
        s = _scaled(y, floor)
        middle, width = np.median(s, axis=0), _width(s)
        t = np.arcsinh((s - middle) / width)
        reach = np.maximum(np.abs((s - middle) / width).max(axis=0), 1.0)
        return cls(
            floor,
            middle,
            width=width,
            mean=t.mean(axis=0),
            deviation=t.std(axis=0) + 1e-9,
            spread=spread,
            reach=reach,
            root=np.zeros(len(floor)),
            square=np.zeros(len(floor)),
        )

    def around(self, j: int, middle: float, width: float, y: Floats) -> Coding:
        """The same transformation with another middle and width of observable j; y, shape (n, k), as in `of`."""
        other = self._copy()
        other.middle[j], other.width[j] = middle, width
        s = (other.transformed(y)[:, j] - middle) / width
        t = np.arcsinh(s)
        other.mean[j], other.deviation[j], other.reach[j] = t.mean(), t.std() + 1e-9, max(np.abs(s).max(), 1.0)
        return other

    def as_root(self, j: int, y: Floats) -> Coding:
        """The same transformation with the root of observable j, which is not negative; y, shape (n, k), as in `of`."""
        other = self._copy()
        other.square[j] = 0.0
        root = np.sqrt(y[:, j])
        width = _width(np.concatenate([root, -root])[:, None])[0]
        t = np.arcsinh(root / width)
        other.floor[j], other.root[j], other.middle[j], other.width[j], other.mean[j] = 0.0, 1.0, 0.0, width, 0.0
        other.deviation[j], other.reach[j] = np.sqrt(np.square(t).mean()) + 1e-9, max((root / width).max(), 1.0)
        return other

    def as_square(self, j: int, y: Floats) -> Coding:
        """The same transformation with the square of observable j, which has no logarithm; y as in `of`."""
        other = self._copy()
        other.square[j] = 1.0
        s = other.transformed(y)[:, j : j + 1]
        return other.around(j, float(np.median(s)), float(_width(s)[0]), y)

    def _copy(self) -> Coding:
        return replace(self, **{name: array.copy() for name, array in vars(self).items()})

    def log_slope(self, y: Floats) -> Floats:
        """ln dt/dy, shape (n, k), at observables y, shape (n, k), for those that are not learned as roots. Below its
        floor, an observable counts as its floor.
        """
        scaled = self.transformed(y)
        by_s = -0.5 * np.log1p(((scaled - self.middle) / self.width) ** 2) - np.log(self.width * self.deviation)
        of_square = np.log(np.where(self.square > 0.0, 2.0 * np.maximum(np.abs(y), _LEAST_SIZE), 1.0))
        return np.asarray(by_s - np.where(self.floor > 0.0, scaled, 0.0) + of_square)

    def resolving(self, middle: Floats, unit: Floats) -> Coding:
        """The same transformation with distances from `middle` in units of `unit`, shape (k,) each, and not scaled to
        unit variance. The logarithm of an observable whose `middle` is not positive keeps its scale.
        """
        wide = self.floor > 0
        of_log = wide & (middle > 0)
        some = np.where(of_log, middle, 1.0)
        middle = np.where(of_log, np.log(some), np.where(wide, self.middle, middle))
        width = np.where(of_log, unit / some, np.where(wide, self.width, unit))
        none, one = np.zeros(len(wide)), np.ones(len(wide))
        return replace(self, middle=middle, width=width, mean=none, deviation=one, root=none, square=none)

    def without_logarithm(self, j: int, y: Floats) -> Coding:
        """The same transformation, but without the logarithm of observable j; y, shape (n, k), as in `of`."""
        other = self._copy()
        other.floor[j] = other.root[j] = other.square[j] = 0.0
        return other.around(j, float(np.median(y[:, j])), float(_width(y[:, j : j + 1])[0]), y)

    def linear(self, j: int, y: Floats) -> Coding:
        """The same transformation, but linear in the values s of observable j; y, shape (n, k), as in `of`."""
        s = self.transformed(y)[:, j : j + 1]
        return self.around(j, float(np.median(s)), LINEAR * float(_width(s)[0]), y)

    def encode(self, y: Floats) -> Floats:
        """The targets t, shape (n, k), of observables y, shape (n, k)."""
        t = np.arcsinh((self.transformed(y) - self.middle) / self.width)
        return np.asarray((t - self.mean) / self.deviation)

    def transformed(self, y: Floats) -> Floats:
        """The values s, shape (n, k)."""
        of_root = np.where(self.root > 0, np.sqrt(np.maximum(y, 0.0)), _scaled(y, self.floor))
        of_square = np.where(self.square > 0, y, 0.0)
        return np.where(self.square > 0, of_square * np.abs(of_square), of_root)

    def left_by(self, y: Floats) -> bool:
        """Whether any of the values, shape (n, k), lies so far outside the scale that it is not resolved, for example
        if a channel was closed at all earlier points, or whether an observable that was positive has either sign.
        """
        s = (self.transformed(y) - self.middle) / self.width
        # clearly, so that this is not decided again and again
        signed = (self.floor + self.root > 0) & (_negative(y) >= 2 * SIGNED)
        return bool((np.abs(s) > FARTHER * self.reach).any() or signed.any())

    def scaled(self, y: Floats) -> Floats:
        """ln y, shape (n, k), for observables that are learned as a logarithm, else y."""
        return _scaled(y, self.floor)

    def replaced(self, j: int, t: Floats, y: Floats) -> Floats:
        """Observables y, shape (n, k), but observable j has the values of the targets t, shape (n,)."""
        targets, values = self.encode(y), y.copy()
        targets[:, j] = t
        values[:, j] = self.decode(torch.from_numpy(targets)).numpy()[:, j]
        return values

    def decode(self, t: Tensor) -> Tensor:
        """The observables y of targets t, shape (n, k), in double precision because likelihoods may be narrow."""
        arrays = (self.floor, self.middle, self.width, self.mean, self.deviation, self.root, self.square)
        floor, middle, width, mean, deviation, root, square = (torch.from_numpy(array) for array in arrays)
        s = middle + width * torch.sinh((t.double() * deviation + mean).clamp(-40.0, 40.0))
        s = torch.where(root > 0, s.square(), s)
        s = torch.where(square > 0, s.sign() * s.abs().sqrt(), s)
        wide = floor > 0
        return torch.where(wide, torch.exp(torch.where(wide, s, torch.zeros_like(s)).clamp(-700.0, 700.0)), s)


def _positive(y: Floats) -> tuple[Floats, Floats, Floats]:
    """The least positive value of each column of y, shape (n, k), and the ends of the central 90 % of these."""
    positive = np.where(y > 0, y, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an observable without a positive value
        return np.nanmin(positive, axis=0), *np.nanquantile(positive, [0.05, 0.95], axis=0)


def _negative(y: Floats) -> NDArray[np.int64]:
    """The number of different negative values of each column of y, shape (n, k), that are no rounding errors: at least
    as large as the small positive ones."""
    below = y < -_positive(y)[1]
    return np.array([len(np.unique(y[rows, j])) for j, rows in enumerate(below.T)], dtype=np.int64)


def _scaled(y: Floats, floor: Floats) -> Floats:
    wide = floor > 0
    return np.where(wide, np.log(np.where(wide, np.maximum(y, floor), 1.0)), y)


def _width(y: Floats) -> Floats:
    low, high = np.quantile(y, [0.25, 0.75], axis=0)
    size = np.abs(y).max(axis=0)
    top = np.where(size > _LEAST_SIZE, size, 1.0)  # no constant: a cross section in cm2 may be as small as 1e-45
    rare = top * (y / top).std(axis=0)  # for example a channel that is closed nearly everywhere
    return np.asarray(3.0 * np.maximum(np.where(high > low, high - low, rare), 1e-6 * top))
