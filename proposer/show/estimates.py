"""Estimates of the profile NLL between the points of a scan, by quadratic fits to neighbouring points.

A point of a scan seldom has the lowest NLL that is possible at its values of the variables shown, because the hidden
variables must fit too. So around each of a choice of points, a quadratic function of all variables is fitted to the NLL
of the nearest points (D. R. Jones, J. Global Optim. 21 (2001) 345, on such response surfaces). Its minimum over the
hidden variables is an estimate of the profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from proposer.types import Floats

MOST_HEIGHT = 9.0
"""The largest height above the lowest NLL of points that are used, three times that of the 95 % region."""

MOST_VARIABLES = 12
"""More variables than this would need more points for each fit than a scan has near its best point."""

_MOST = 2000  # fits
_WORK = 6e8  # multiplications of all fits, about a second
_OUTWARD = (0.0, 0.3, 0.6, 0.9)  # steps along the gradient of the profile, in radii of the neighbourhood
_SHORTER = (1.0, 0.75, 0.5, 0.25)  # shares of the step to the minimum over the hidden variables
_FLAT = 1e-6  # smallest curvature over the largest
_ROUNDING = 1e-9  # of positions at the ends of the ranges


@dataclass(frozen=True)
class Estimates:
    """Estimates of the NLL between the points. `u`: their positions, shape (m, d), in the unit cube. `above`: the NLL
    there minus the lowest one, shape (m,). `near`: the rows of the points that have a fit.
    """

    u: Floats
    above: Floats
    near: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _OverHidden:
    """Fits, m of them, with p variables shown and h hidden: their gradients, shapes (m, p) and (m, h), their mixed
    second derivatives, (m, h, p), the inverse of those of the hidden ones, (m, h, h), and whether they have a minimum,
    (m,).
    """

    shown: list[int]
    hidden: list[int]
    gradient_shown: Floats
    gradient_hidden: Floats
    mixed: Floats
    inverse: Floats
    convex: NDArray[np.bool_]

    def to_minimum(self, gradient: Floats) -> Floats:
        """The inverse second derivatives times a gradient, shape (m, h)."""
        found: Floats = np.einsum("mij,mj->mi", self.inverse, gradient)
        return found


class LocalFits:
    """Quadratic fits to the NLL above the lowest, shape (n,), at points u, shape (n, d), of the unit cube.

    The NLL is NaN where a point has none. A position counts as estimated only if the fit does not extrapolate to it
    (its leverage is at most that of the fitted points), and if the evaluated point nearest to it is below MOST_HEIGHT.
    The estimate is the fit, plus its standard error there or what it misses this nearest point by, whichever is more.
    It is never below the lowest NLL found. `missing`: why there is no fit at all, in words; empty if there are fits.
    """

    def __init__(self, u: Floats, above: Floats, seed: int = 0) -> None:
        d = u.shape[1]
        terms = (d + 1) * (d + 2) // 2
        size = 2 * terms + 2  # twice as many points as coefficients, so that the residuals say how good a fit is
        near = np.flatnonzero(above < MOST_HEIGHT)
        width = u[near].std(axis=0) if len(near) else np.zeros(d)
        self._dimensions = d
        self.missing = _why_none(d, len(near), size, varies=bool((width > 0).all()))
        if self.missing:
            return
        most = int(min(_MOST, _WORK / (size * terms**2)))
        rng = np.random.default_rng(seed)
        self._near = near if len(near) <= most else np.sort(rng.choice(near, most, replace=False))
        self._width, self._above, self._pairs = width, above, np.triu_indices(d)
        points = u / width
        self._points, self._all, self._at = points, cKDTree(points), points[self._near]
        _, found = cKDTree(points[near]).query(self._at, k=size)
        neighbours = near[found]
        offsets = points[neighbours] - self._at[:, None]
        self._radius = np.linalg.norm(offsets, axis=2).max(axis=1)
        design = self._design(offsets / np.maximum(self._radius, 1e-300)[:, None, None])
        with threadpool_limits(1, "blas"):  # with more threads, so small matrices take several times longer
            q, r = np.linalg.qr(design)
            diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2))
            self._sound = diagonal.min(axis=1) > 1e-8 * diagonal.max(axis=1)
            r[~self._sound] = np.eye(terms)
            self._root = np.linalg.inv(r)
            self._beta = np.einsum("mij,mkj,mk->mi", self._root, q, above[neighbours], optimize=True)
        residual = above[neighbours] - np.einsum("mkp,mp->mk", design, self._beta)
        self._error = np.sqrt((residual**2).sum(axis=1) / (size - terms))
        self._leverage = (q**2).sum(axis=2).max(axis=1)

    def profile(self, shown: Sequence[int]) -> Estimates:
        """Estimates of the profile NLL over the variables with the numbers `shown`; none where nothing is hidden."""
        if self.missing or len(shown) == self._dimensions:
            d = self._dimensions
            return Estimates(np.empty((0, d)), np.empty(0), np.empty(0, dtype=np.int64))
        fits = self._over_hidden(shown)
        uphill = fits.gradient_shown - np.einsum("mhp,mh->mp", fits.mixed, fits.to_minimum(fits.gradient_hidden))
        uphill /= np.maximum(np.linalg.norm(uphill, axis=1, keepdims=True), 1e-300)
        u, above = self._lowest(fits, [length * uphill for length in _OUTWARD])
        return Estimates(u, above, self._near)

    def lowest_at(self, k: int, value: float, errors: float) -> float:
        """The lowest estimate of the profile NLL where the variable k has this value, with so many standard errors
        added instead of one; infinite if no fit reaches there, or if no variable is hidden.
        """
        if self.missing or self._dimensions == 1:
            return np.inf
        away = (value / self._width[k] - self._at[:, [k]]) / np.maximum(self._radius, 1e-300)[:, None]
        _, above = self._lowest(self._over_hidden([k]), [away], errors)
        return float(above.min(initial=np.inf))

    def _over_hidden(self, shown: Sequence[int]) -> _OverHidden:
        gradient, curvature = self._derivatives(self._dimensions)
        hidden = [k for k in range(self._dimensions) if k not in shown]
        values, vectors = np.linalg.eigh(curvature[:, hidden][:, :, hidden])
        convex = self._sound & (values[:, 0] > _FLAT * np.maximum(values[:, -1], 1e-300))
        values = np.where(convex[:, None], values, 1.0)
        inverse = np.einsum("mij,mj,mkj->mik", vectors, 1 / values, vectors, optimize=True)
        return _OverHidden(
            shown=list(shown),
            hidden=hidden,
            gradient_shown=gradient[:, list(shown)],
            gradient_hidden=gradient[:, hidden],
            mixed=curvature[:, hidden][:, :, list(shown)],
            inverse=inverse,
            convex=convex,
        )

    def _lowest(self, fits: _OverHidden, moves: Sequence[Floats], errors: float = 1.0) -> tuple[Floats, Floats]:
        """Places, shape (m, d), and estimates, shape (m,), of the minima over the hidden variables, after each of these
        moves of the variables shown, shape (fits, shown), in radii.
        """
        positions, heights = [], []
        for move in moves:
            offset = np.zeros((len(self._at), self._dimensions))
            offset[:, fits.shown] = move
            step = -fits.to_minimum(fits.gradient_hidden + np.einsum("mhp,mp->mh", fits.mixed, move))
            left = fits.convex.copy()
            for share in _SHORTER:
                offset[:, fits.hidden] = share * step
                u, above, known = self._estimate(offset, left, errors)
                left &= ~known
                positions.append(u[known])
                heights.append(above[known])
        return np.concatenate(positions), np.concatenate(heights)

    def _estimate(
        self, offset: Floats, wanted: NDArray[np.bool_], errors: float
    ) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """The positions at an offset in radii from each point with a fit, shape (m, d). Also the estimates there plus
        `errors` standard errors, and whether these hold, shape (m,) each.
        """
        design = self._design(offset)
        leverage = (np.einsum("mp,mpq->mq", design, self._root) ** 2).sum(axis=1)
        at = self._at + offset * self._radius[:, None]
        u = at * self._width
        known = wanted & (leverage <= self._leverage) & ((u > -_ROUNDING) & (u < 1 + _ROUNDING)).all(axis=1)
        _, nearest = self._all.query(at[known])
        error = errors * self._error * np.sqrt(1 + leverage)
        missed = np.zeros(len(at))
        there = (self._points[nearest] - self._at[known]) / self._radius[known, None]
        missed[known] = np.abs((self._design(there) * self._beta[known]).sum(axis=1) - self._above[nearest])
        known[known] = self._above[nearest] < MOST_HEIGHT
        above = (design * self._beta).sum(axis=1) + np.maximum(error, missed)
        return u, np.maximum(above, 0.0), known

    def _design(self, x: Floats) -> Floats:
        """The terms of the quadratic function at x, shape (..., d)."""
        i, j = self._pairs
        return np.concatenate([np.ones((*x.shape[:-1], 1)), x, x[..., i] * x[..., j]], axis=-1)

    def _derivatives(self, d: int) -> tuple[Floats, Floats]:
        """Gradients (m, d) and second derivatives (m, d, d) of the fits at their own points."""
        i, j = self._pairs
        half = np.zeros((len(self._beta), d, d))
        half[:, i, j] = self._beta[:, d + 1 :]
        return self._beta[:, 1 : d + 1], half + half.swapaxes(1, 2)


def _why_none(dimensions: int, near: int, size: int, *, varies: bool) -> str:
    if dimensions > MOST_VARIABLES:
        return f"there are more than {MOST_VARIABLES} variables"
    if near < size:
        return f"a fit needs {size} points at most {MOST_HEIGHT:g} above the lowest NLL, and there are {near:,}"
    return "" if varies else f"a variable has one value at all points at most {MOST_HEIGHT:g} above the lowest NLL"
