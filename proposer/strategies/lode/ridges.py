"""Finds planes at which an observable changes abruptly: resonances, coannihilation, thresholds.

Such a feature is as thin as a hundredth of the cube, and lies where two masses have a fixed ratio or difference, which
is a plane in (mostly logarithmic) variables. Neither a process with one length scale for each variable nor a network
resolves it. So the distance from the plane, on a scale that is fine close to the plane, becomes an input of both.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from scipy.special import betainc
from torch import Tensor

from proposer.strategies.lode.matern import fall
from proposer.strategies.lode.process import Processes
from proposer.types import Floats

WIDTH, SHRINK = 0.02, 4.0
"""The new input is asinh(distance / WIDTH) / SHRINK. Inputs have the range [-1, 1]."""
MOST = 4
"""The largest number of planes."""
LENGTH, NO_LENGTH = 0.7, 20.0
"""The first length scale of a new input, for the output whose ridge it is, and for the others."""
WORTH = 12.0
"""A plane must raise the logarithm of the marginal likelihood by this much."""
LIKELIHOOD_FROM = 400
"""The number of points from which the likelihood of a plane is computed. A quarter of them at most are outliers."""
OUTLIERS = 0.1
"""The fraction of the points, those with the largest errors, through which planes are tried."""
TRIED, PAIRS, OF_PAIR, COMPARED, REFINED = 300, 6000, 4, 30, 15
"""At most TRIED planes through two outliers are tried for a pair of variables, and PAIRS in all. OF_PAIR of each pair
are kept, and the best COMPARED of these are compared by their likelihood. The best one is moved REFINED times.
"""
APART, DIAGONAL = 0.4, 0.2
"""Two outliers that define a plane are at least APART. Both components of its normal are at least DIAGONAL."""
WIDTHS = (0.005, 0.01, 0.02, 0.04)
"""The distances up to which outliers are counted as close to a plane."""


class Ridges:
    """Planes n x = c in the inputs x of a regression. `planes`, shape (k, d + 1), holds n, of unit length, and c."""

    def __init__(self, dim: int) -> None:
        self.planes: Floats = np.empty((0, dim + 1))

    def __call__(self, x: Floats) -> Floats:
        """The inputs x, shape (n, d), and behind them the distances from the planes, shape (n, d + k)."""
        return np.concatenate([x, _distances(x, self.planes)], axis=1) if len(self.planes) else x

    def of(self, z: Tensor) -> Tensor:
        """The same for tensors."""
        return torch.from_numpy(self(z.numpy())) if len(self.planes) else z

    def find(self, x: Floats, t: Floats, rng: np.random.Generator) -> None:
        """Finds planes for one output t, shape (n, 1), of about unit variance, at x, shape (n, d)."""
        self.planes = self.planes[:0]
        process = Processes(x.shape[1], 1)
        while True:
            seen = self(x)
            process.learn(seen, t, rng)
            process.condition(seen, t)
            if len(self.planes) == MOST:
                break
            plane = self._next(x, t[:, 0], process, rng)
            if plane is None:
                break
            self.planes = np.concatenate([self.planes, plane[None]])
            process = process.with_inputs(process.dim, np.array([[LENGTH]]))

    def _next(self, x: Floats, t: Floats, process: Processes, rng: np.random.Generator) -> Floats | None:
        """The plane with the largest likelihood; None if none is worth it."""
        off = np.abs(process.left_out(0))
        tried = through_outliers(x, off >= np.quantile(off, 1.0 - OUTLIERS), rng)
        first = np.argsort(-off)[: min(LIKELIHOOD_FROM // 4, round(OUTLIERS * len(x)))]
        others = np.setdiff1d(np.arange(len(x)), first)
        others = rng.choice(others, min(len(others), LIKELIHOOD_FROM - len(first)), replace=False)
        rows = np.concatenate([first, others])
        likelihood = _Likelihood(x[rows], self(x[rows]), t[rows], process)
        gains = [likelihood(plane) for plane in tried]
        if not gains:
            return None
        best = int(np.argmax(gains))
        plane, gain, step = tried[best], gains[best], 0.03
        some = np.flatnonzero(plane[:-1])
        for _ in range(REFINED):
            new = plane.copy()
            new[some] += step * rng.standard_normal(len(some))
            new[:-1] /= np.linalg.norm(new[:-1])
            new[-1] += step * rng.standard_normal()
            its = likelihood(new)
            better = its > gain
            if better:
                plane, gain = new, its
            step *= 1.3 if better else 0.8
        return plane if gain > likelihood(None) + WORTH else None


class _Likelihood:
    """The logarithm of the marginal likelihood of a process with one more plane, without its constant."""

    def __init__(self, x: Floats, seen: Floats, t: Floats, process: Processes) -> None:
        self._x, self._t = x, torch.from_numpy(t - t.mean())[:, None]
        self._square = process.squares(seen, 0)
        self._amplitude, self._noise = process.amplitude[0], process.noise[0]

    def __call__(self, plane: Floats | None) -> float:
        square = self._square.clone()
        if plane is not None:
            distance = torch.from_numpy(_distances(self._x, plane[None])) / LENGTH
            square += 5.0 * (distance - distance.T).square()
        covariance = fall(square) * self._amplitude
        torch.diagonal(covariance).add_(self._noise)
        root, failed = torch.linalg.cholesky_ex(covariance)
        if bool(failed):
            return -np.inf
        solved = torch.linalg.solve_triangular(root, self._t, upper=False)
        return float(-0.5 * solved.square().sum() - torch.diagonal(root).log().sum())


def through_outliers(x: Floats, outlier: np.ndarray, rng: np.random.Generator) -> list[Floats]:
    """Planes close to which there are more outliers than by chance, the surest first. Each is normal to one variable or
    to two. `x`: shape (n, d); `outlier`: shape (n,).
    """
    dim, of = x.shape[1], np.flatnonzero(outlier)
    pairs = list(itertools.combinations(range(dim), 2))
    most = min(TRIED, PAIRS // max(1, len(pairs)))
    found: list[tuple[float, Floats]] = []
    for variables in [(i,) for i in range(dim)] + pairs:
        points = x[:, variables]
        if len(variables) == 1:
            normal, at = np.ones((len(of), 1)), points[of]
        else:
            a, b = points[rng.choice(of, most)], points[rng.choice(of, most)]
            length = np.linalg.norm(b - a, axis=1)
            normal = np.stack([a[:, 1] - b[:, 1], b[:, 0] - a[:, 0]], axis=1) / np.maximum(length, 1e-9)[:, None]
            kept = (length > APART) & (np.abs(normal).min(axis=1) > DIAGONAL)
            normal, at = normal[kept], a[kept]
        if not len(at):
            continue
        c = (normal * at).sum(axis=1)
        chance = _chance(np.abs(points @ normal.T - c), outlier, len(variables))
        for row in np.argsort(chance, kind="stable")[:OF_PAIR]:
            plane = np.zeros(dim + 1)
            plane[list(variables)], plane[-1] = normal[row], c[row]
            found.append((float(chance[row]), plane))
    found.sort(key=lambda one: one[0])
    return [plane for _, plane in found[:COMPARED]]


def _chance(distance: Floats, outlier: np.ndarray, free: int) -> Floats:
    """The logarithm of the probability, shape (m,), of so many outliers close to a plane by chance. `distance`: shape
    (n, m); `free` outliers define the plane, and do not count.
    """
    least = np.zeros(distance.shape[1])
    for width in WIDTHS:
        close = distance < width
        n, k = (np.maximum(some.sum(axis=0) - free, 0) for some in (close, close & outlier[:, None]))
        tail = np.where(k > 0, betainc(np.maximum(k, 1), np.maximum(n - k + 1, 1), outlier.mean()), 1.0)
        least = np.minimum(least, np.log(tail + 1e-300))
    return least


def _distances(x: Floats, planes: Floats) -> Floats:
    """The new inputs, shape (n, k)."""
    return np.asarray(np.arcsinh((x @ planes[:, :-1].T - planes[:, -1]) / WIDTH) / SHRINK)
