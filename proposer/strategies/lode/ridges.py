"""Finds planes at which an observable changes abruptly: resonances, coannihilation, thresholds.

Such a feature is as thin as a hundredth of the cube, and lies where two masses have a fixed ratio or difference, which
is a plane in (mostly logarithmic) variables. Neither a process with one length scale for each variable nor a network
resolves it. So the distance from the plane, on a scale that is fine close to the plane, becomes an input of both.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betainc
from torch import Tensor

from scipy.optimize import Bounds, minimize
from proposer.strategies.lode.matern import fall, likelihood
from proposer.strategies.lode.process import Processes
from proposer.types import Floats

WIDTH, BETWEEN, SHRINK = 0.02, (0.002, 0.05), 4.0
"""The new input is asinh(distance / width) / SHRINK. Inputs have the range [-1, 1]. The width is WIDTH at first, and
stays within BETWEEN. With widths up to 0.2, planes were found that only warp a smooth part of an observable.
"""
LEAST_WIDTH = 0.01
"""The smallest width for `widths_from`."""
AGAIN, SOON = 1.5, 1.3
"""Planes are looked for again when there are AGAIN times more points, or SOON times if there are planes."""
MOST, NEW = 4, 2
"""The largest number of planes, and that of the new ones of one search."""
LENGTH, NO_LENGTH = 0.7, 20.0
"""The first length scale of a new input, for the output whose ridge it is, and for the others."""
WORTH = 12.0
"""A plane must raise the logarithm of the marginal likelihood by this much."""
FROM, LIKELIHOOD_FROM = 800, 300
"""The largest number of points from which planes are found, and from which their likelihood is computed. At most a
quarter of the latter are outliers.
"""
OUTLIERS = 0.1
"""The fraction of the points, those with the largest errors, through which planes are tried."""
TRIED, PAIRS, OF_PAIR, COMPARED, REFINED = 300, 6000, 4, 30, 30
"""At most TRIED planes through two outliers are tried for a pair of variables, and PAIRS in all. OF_PAIR of each pair
are kept, and the best COMPARED of these are compared by their likelihood. The best one is moved REFINED times.
"""
EDGE = 2.0
"""All points may be on one side of a plane if some of them are within this many of its widths."""
APART, DIAGONAL = 0.4, 0.2
"""Two outliers that define a plane are at least APART. Both components of its normal are at least DIAGONAL."""
LEAST_ODD = 0.01
FLIP = 3.0
MOVE, WIDER = 0.02, 0.5
POLISHED, FEW_STEPS, STEPS = 6, 10, 20
WIDTHS = (0.005, 0.01, 0.02, 0.04)
"""The distances up to which outliers are counted as close to a plane."""


class Ridges:
    """Planes n x = c in the inputs x of a regression. `planes`, shape (k, d + 2), holds n, of unit length, c, and the
    width.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.planes: Floats = np.empty((0, dim + 3))
        self.found_from = 0
        """The number of points at the last search."""
        self._before = 0  # the number of planes before the last search
        self.came: list[int] = []
        """The position of each plane before the last search, -1 for a new one."""

    def __call__(self, x: Floats) -> Floats:
        """The inputs x, shape (n, d), and behind them the distances from the planes, shape (n, d + k)."""
        return np.concatenate([x, _distances(x, self.planes)], axis=1) if len(self.planes) else x

    def of(self, z: Tensor) -> Tensor:
        """The same for tensors."""
        return torch.from_numpy(self(z.numpy())) if len(self.planes) else z

    def widths_from(self, z: Tensor, plane: int) -> Tensor:
        """The distance of inputs z, shape (n, d), from a plane in its widths, shape (n,); a width is at least
        LEAST_WIDTH.
        """
        normal, (c, width) = self.planes[plane, :-3], self.planes[plane, -3:-1]
        return torch.from_numpy(np.abs(z.numpy() @ normal - c) / max(width, LEAST_WIDTH))

    @property
    def next_from(self) -> float:
        """The number of points from which planes are looked for again."""
        return (SOON if len(self.planes) else AGAIN) * self.found_from

    def find(self, x: Floats, t: Floats, process: Processes, rng: np.random.Generator) -> None:
        """Improves the planes for one output t, shape (n, 1), of about unit variance, at x, shape (n, d), forgets those
        that are not worth it, and looks for NEW more. `process` has the length scales for the present planes.
        """
        self.found_from, self._before, self.came = len(x), len(self.planes), list(range(len(self.planes)))
        if len(x) > FROM:
            rows = rng.choice(len(x), FROM, replace=False)
            x, t = x[rows], t[rows]
        if len(self.planes):
            marginal = _Likelihood(x, t, self, process, rng)
            planes, its = marginal.polished(self.planes, 0, STEPS)
            if its > -np.inf:
                self.planes = planes
                marginal.take(marginal.found)
                for which in range(len(planes)):
                    other = self.planes.copy()
                    other[which, -1] = 1.0 - other[which, -1]
                    other, value = marginal.polished(other, 0, FEW_STEPS)
                    if value > its + FLIP:
                        self.planes, its = other, value
                        marginal.take(marginal.found)
                process = marginal.process(process, len(self.planes))
            process = self._without_weak(process, marginal)
        for _ in range(NEW):
            process.learn(self(x), t, rng)
            marginal = _Likelihood(x, t, self, process, rng)
            tried = through_outliers(x, marginal.outlier, rng)
            if not tried:
                break
            every = [np.concatenate([self.planes, kind(plane, even)[None]]) for plane in tried for even in (0, 1)]
            every = sorted(every, key=marginal, reverse=True)[:POLISHED]
            done = []
            for planes in every:
                new, its = marginal.polished(planes, len(self.planes), FEW_STEPS)
                if its > -np.inf:
                    done.append((its, new, marginal.found))
            if not done:
                break
            its, best, rest = max(done, key=lambda one: one[0])
            null = marginal.polished(self.planes, len(self.planes), FEW_STEPS)[1]
            if its < null + WORTH:
                break
            marginal.take(rest)
            best, its = marginal.polished(best, 0, STEPS)
            if its > -np.inf:
                marginal.take(marginal.found)
                self.planes = best
            else:
                break
            self.came.append(-1)
            process = marginal.process(process, len(self.planes))
            if len(self.planes) > MOST:
                process = self._without_weak(process, marginal)

    def _without_weak(self, process: Processes, likelihood: _Likelihood) -> Processes:
        """Forgets planes, the weakest first, while there are more than MOST or one is not worth it. Returns the process
        for the others.
        """
        lengths = process.lengths[0, process.dim - len(self.planes) :]
        while len(self.planes):
            every = range(len(self.planes))
            without = [likelihood(np.delete(self.planes, k, axis=0), np.delete(lengths, k)) for k in every]
            weakest = int(np.argmax(without))
            if len(self.planes) <= MOST and likelihood(self.planes, lengths) > without[weakest] + WORTH:
                break
            self.planes, lengths = np.delete(self.planes, weakest, axis=0), np.delete(lengths, weakest)
            del self.came[weakest]
        return process.with_inputs(self.dim, lengths[None])

    @property
    def changed(self) -> bool:
        """Whether the last search found new planes, or forgot some."""
        return self.came != list(range(self._before))

    def carried(self, process: Processes, j: int) -> Processes:
        """The process with the planes of the last search as inputs, without data. It keeps its length scales for
        earlier planes. New ones first matter for output j alone.
        """
        old = process.lengths[:, self.dim :]
        lengths = np.full((process.outputs, len(self.planes)), NO_LENGTH)
        lengths[j] = LENGTH
        for plane, position in enumerate(self.came):
            if position >= 0:
                lengths[:, plane] = old[:, position]
        return process.with_inputs(self.dim, lengths)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`."""
        return {"planes": self.planes, "found_from": np.array(float(self.found_from))}

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Restores the state from the arrays of `to_arrays`; an older lodescan had none."""
        self.planes, self.found_from = arrays.get("planes", self.planes), int(arrays.get("found_from", 0))


class _Likelihood:
    """The logarithm of the marginal likelihood of a process, without its constant, for other planes."""

    def __init__(self, x: Floats, t: Floats, ridges: Ridges, process: Processes, rng: np.random.Generator) -> None:
        process.condition(ridges(x), t)
        off = np.abs(process.left_out(0))
        self.outlier = off >= np.quantile(off, 1.0 - OUTLIERS)
        first = np.argsort(-off)[: min(LIKELIHOOD_FROM // 4, round(OUTLIERS * len(x)))]
        others = np.setdiff1d(np.arange(len(x)), first)
        others = rng.choice(others, min(len(others), LIKELIHOOD_FROM - len(first)), replace=False)
        rows = np.concatenate([first, others])
        self._x, self._t = x[rows], torch.from_numpy(t[rows] - t[rows].mean())
        self.lengths = np.append(process.lengths[0, x.shape[1] :], LENGTH)
        self._base = process.lengths[0, : x.shape[1]]
        self._square = process.with_inputs(x.shape[1], np.empty((1, 0))).squares(self._x, 0)
        self._amplitude, self._noise = float(process.amplitude[0]), float(process.noise[0])

    def process(self, process, k):
        """The process with these hyperparameters."""
        arrays = process.to_arrays()
        lengths = np.concatenate([self._base, self.lengths[:k]])
        return Processes.from_arrays(arrays | {"scales": np.log(lengths)[None], "amplitude": np.log([self._amplitude]), "noise": np.log([self._noise])})

    def __call__(self, planes: Floats, lengths: Floats | None = None) -> float:
        lengths = self.lengths[: len(planes)] if lengths is None else lengths[: len(planes)]
        square = self._square.clone()
        scaled = torch.from_numpy(_distances(self._x, planes) / lengths)
        for column in scaled.T[..., None]:
            square += 5.0 * (column - column.T).square()
        covariance = fall(square) * self._amplitude
        torch.diagonal(covariance).add_(self._noise)
        root, failed = torch.linalg.cholesky_ex(covariance)
        if bool(failed):
            return -np.inf
        solved = torch.linalg.solve_triangular(root, self._t, upper=False)
        return float(-0.5 * solved.square().sum() - torch.diagonal(root).log().sum())

    def _crosses(self, plane: Floats) -> bool:
        """Whether there are points on both sides of a plane, or close to it."""
        off = (self._x @ plane[:-3] - plane[-3]) / plane[-2]
        return bool(off.min() < EDGE and off.max() > -EDGE)

    def polished(self, planes: Floats, first: int, steps: int) -> tuple[Floats, float]:
        """The planes after at most `steps` steps uphill in the likelihood, in which the planes from `first` on move, and
        all length scales, the amplitude, and the noise follow; and their likelihood.
        """
        moving = planes[first:]
        free = np.concatenate([moving[:, :-3] != 0.0, np.ones((len(moving), 2), dtype=bool)], axis=1)
        size = np.concatenate([np.full((len(moving), moving.shape[1] - 2), MOVE), np.full((len(moving), 1), WIDER)], axis=1)
        at = moving[:, :-1].copy()
        at[:, -1] = np.log(at[:, -1])
        scales = np.log(np.concatenate([self._base, self.lengths[: len(planes)]]))
        start = np.concatenate([(at / size)[free], scales, [np.log(self._amplitude), np.log(self._noise)]])

        def unpacked(theta: Floats) -> tuple[Floats, Floats]:
            now, rest = planes.copy(), theta[free.sum() :]
            part = at.copy()
            part[free] = theta[: free.sum()] * size[free]
            part[:, -1] = np.exp(part[:, -1])
            now[first:, :-1] = part
            return now, rest

        def loss(theta: Floats) -> tuple[float, Floats]:
            now, rest = unpacked(theta)
            inputs = _distances(self._x, now)
            every = torch.from_numpy(np.concatenate([self._x, inputs], axis=1))
            noise = float(np.exp(rest[-1]))
            one = likelihood(every, self._t, torch.from_numpy(rest[:-2]), torch.tensor(rest[-2]), torch.tensor(noise))
            if one is None:
                return 1e10, np.zeros_like(theta)
            value, by_scales, by_amplitude, by_noise, _, pairs = one
            columns = torch.from_numpy(inputs[:, first:])
            by_inputs = (pairs.sum(dim=1)[:, None] * columns - pairs @ columns).numpy()
            by_inputs *= -10.0 / 3.0 * np.exp(-2.0 * rest[self._x.shape[1] + first : -2])
            off = (self._x @ now[first:, :-3].T - now[first:, -3]) / now[first:, -2]
            even = now[first:, -1] > 0
            by_off = by_inputs * np.where(even, off / (1.0 + off**2), 1.0 / np.sqrt(1.0 + off**2)) / SHRINK
            by_scaled = by_off / now[first:, -2]
            by_planes = np.concatenate(
                [by_scaled.T @ self._x, -by_scaled.sum(axis=0)[:, None], -(by_off * off).sum(axis=0)[:, None]], axis=1
            )
            by_rest = [by_scales.numpy(), [float(by_amplitude), float(by_noise) * noise]]
            return float(value), np.concatenate([(by_planes * size)[free], *by_rest])

        low, high = np.full((2, len(start)), [[-np.inf], [np.inf]])
        of_width = np.flatnonzero(np.argwhere(free)[:, 1] == free.shape[1] - 1)
        low[of_width], high[of_width] = np.log(np.where(moving[:, -1] > 0, BETWEEN[0], LEAST_ODD)) / WIDER, np.log(BETWEEN[1]) / WIDER
        of_scales = slice(int(free.sum()), -2)
        low[of_scales], high[of_scales] = -3.0, 5.5
        low[-2:], high[-2:] = [-5.0, np.log(1e-5)], [5.0, 1.0]
        start = np.clip(start, low, high)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=Bounds(low, high), options={"maxiter": steps, "maxfun": 2*steps})
        now, rest = unpacked(found.x)
        length = np.linalg.norm(now[:, :-3], axis=1)
        now[:, :-1] /= length[:, None]
        now[:, -2] = np.clip(now[:, -2], *BETWEEN)
        if not all(self._crosses(plane) for plane in now[first:]):
            return planes, -np.inf
        self.found = rest
        return now, -float(found.fun)

    def take(self, rest):
        """Uses the hyperparameters of the last polish."""
        d = self._x.shape[1]
        self._base, self.lengths = np.exp(rest[:d]), np.append(np.exp(rest[d:-2]), LENGTH)
        self._amplitude, self._noise = np.exp(rest[-2]), np.exp(rest[-1])
        scaled = torch.from_numpy(self._x / self._base)
        self._square = 5.0 * torch.cdist(scaled, scaled).square()


def kind(plane, even):
    plane = plane.copy()
    plane[-1] = even
    return plane


def through_outliers(x: Floats, outlier: NDArray[np.bool_], rng: np.random.Generator) -> list[Floats]:
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
            plane = np.zeros(dim + 3)
            plane[list(variables)], plane[-3:-1] = normal[row], (c[row], WIDTH)
            found.append((float(chance[row]), plane))
    found.sort(key=lambda one: one[0])
    return [plane for _, plane in found[:COMPARED]]


def _chance(distance: Floats, outlier: NDArray[np.bool_], free: int) -> Floats:
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
    off = (x @ planes[:, :-3].T - planes[:, -3]) / planes[:, -2]
    return np.where(planes[:, -1] > 0, 0.5 * np.log1p(off**2), np.arcsinh(off)) / SHRINK
