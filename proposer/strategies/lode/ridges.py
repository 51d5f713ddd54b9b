"""Finds planes at which an observable changes abruptly: resonances, coannihilation, thresholds.

Such a feature is as thin as a hundredth of the cube, and lies where two masses have a fixed ratio or difference, which
is a plane in (mostly logarithmic) variables. Neither a process with one length scale for each variable nor a network
resolves it. So the distance from the plane, on a scale that is fine close to the plane, becomes an input of both.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betainc
from torch import Tensor

from proposer.strategies.lode.matern import fall
from proposer.strategies.lode.process import Processes
from proposer.types import Floats

WIDTH, BETWEEN, SHRINK = 0.02, (0.002, 0.05), 4.0
"""The new input is asinh(distance / width) / SHRINK. Inputs have the range [-1, 1]. The width is WIDTH at first, and
stays within BETWEEN. With widths up to 0.2, planes were found that only warp a smooth part of an observable.
"""
LEAST_WIDTH = 0.01
"""The smallest width for `widths_from`."""
FIRST, FEW, OFTEN = 60, 300, 1.1
AGAIN, SOON = 1.5, 1.3
"""Planes are looked for from FIRST points on, again when there are OFTEN times more points, and beyond FEW points when
there are AGAIN times more, or SOON times if there are planes. Two or three points close to a resonance can show it, and
with few points a search takes a tenth of a second. Beyond FEW points without planes, planes are only looked for where
networks have replaced a process. Without this condition, dipole4d and lightest4d took 5 % more evaluations.
"""
MOST, IN_ALL, NEW, OUTPUTS = 4, 8, 2, 3
"""The largest number of planes for one output and in all, that of the new ones of one output in one search, and that of
the outputs for which one search looks for planes.
"""
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
WIDTHS = (0.005, 0.01, 0.02, 0.04)
"""The distances up to which outliers are counted as close to a plane."""


class Ridges:
    """Planes n x = c in the inputs x of a regression. `planes`, shape (k, d + 2), holds n, of unit length, c, and the
    width.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.planes: Floats = np.empty((0, dim + 2))
        self.found_from = 0
        """The number of points at the last search."""
        self._before = 0  # the number of planes before the last search
        self._of_others = np.zeros(0, dtype=np.bool_)  # which of these belonged to other outputs
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
        normal, (c, width) = self.planes[plane, :-2], self.planes[plane, -2:]
        return torch.from_numpy(np.abs(z.numpy() @ normal - c) / max(width, LEAST_WIDTH))

    @property
    def next_from(self) -> float:
        """The number of points from which planes are looked for again."""
        if self.found_from < FEW:
            return max(FIRST, OFTEN * self.found_from)
        return (SOON if len(self.planes) else AGAIN) * self.found_from

    def look(
        self, x: Floats, t: Floats, values: Processes, worst: Sequence[int], rng: np.random.Generator
    ) -> tuple[Processes, bool]:
        """Looks for planes of at most OUTPUTS of the outputs `worst`, by `find`. `values` predicts all outputs t, shape
        (n, k). Returns the process with the present planes as inputs, without data, and whether there are new planes,
        or some were forgotten.
        """
        changed = False
        for j in worst[:OUTPUTS]:
            self.find(x, t[:, j : j + 1], values.only(j), rng, of_others=self.outputs(values) != j)
            values = self.carried(values, j)
            changed |= self.changed
        return values, changed

    def outputs(self, values: Processes) -> NDArray[np.int64]:
        """The output of `values` that depends most on each plane, shape (planes,)."""
        return np.asarray(values.lengths[:, self.dim :].argmin(axis=0))

    def find(
        self,
        x: Floats,
        t: Floats,
        process: Processes,
        rng: np.random.Generator,
        *,
        of_others: NDArray[np.bool_] | None = None,
    ) -> None:
        """Improves the planes for one output t, shape (n, 1), of about unit variance, at x, shape (n, d), forgets those
        that are not worth it, and looks for NEW more. `process` has the length scales for the present planes.
        `of_others`: the planes, shape (k,), of other outputs, which stay as they are.
        """
        self.found_from, self._before, self.came = len(x), len(self.planes), list(range(len(self.planes)))
        self._of_others = np.zeros(self._before, dtype=np.bool_) if of_others is None else of_others
        if len(x) > FROM:
            rows = rng.choice(len(x), FROM, replace=False)
            x, t = x[rows], t[rows]
        likelihood = _Likelihood(x, t, self, process, rng)
        for plane in self._mine():
            self.planes = likelihood.moved(self.planes, plane, rng)[0]
        process = self._without_weak(process, likelihood)
        for _ in range(NEW):
            process.learn(self(x), t, rng)
            likelihood = _Likelihood(x, t, self, process, rng)
            tried = through_outliers(x, likelihood.outlier, rng)
            if not tried:
                break
            every = [np.concatenate([self.planes, plane[None]]) for plane in tried]
            best, its = likelihood.moved(max(every, key=likelihood), len(self.planes), rng)
            if its < likelihood(self.planes) + WORTH:
                break
            self.planes = best
            self.came.append(-1)
            process = process.with_inputs(process.dim, np.array([[LENGTH]]))
            if self._too_many():
                process = self._without_weak(process, likelihood)

    def _mine(self) -> list[int]:
        """The positions of the planes of the output of the last search."""
        return [k for k, position in enumerate(self.came) if position < 0 or not self._of_others[position]]

    def _too_many(self) -> bool:
        return len(self._mine()) > MOST or len(self.planes) > IN_ALL

    def _without_weak(self, process: Processes, likelihood: _Likelihood) -> Processes:
        """Forgets planes, the weakest first, while there are too many or one is not worth it. Returns the process for
        the others.
        """
        lengths = process.lengths[0, process.dim - len(self.planes) :]
        while mine := self._mine():
            without = [likelihood(np.delete(self.planes, k, axis=0), np.delete(lengths, k)) for k in mine]
            best = int(np.argmax(without))
            weakest = mine[best]
            if not self._too_many() and likelihood(self.planes, lengths) > without[best] + WORTH:
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
        self._square = process.with_inputs(x.shape[1], np.empty((1, 0))).squares(self._x, 0)
        self._amplitude, self._noise = process.amplitude[0], process.noise[0]

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
        off = (self._x @ plane[:-2] - plane[-2]) / plane[-1]
        return bool(off.min() < EDGE and off.max() > -EDGE)

    def moved(self, planes: Floats, which: int, rng: np.random.Generator) -> tuple[Floats, float]:
        """The planes after random moves of one of them that raise the likelihood, and their likelihood."""
        best, step = self(planes), 0.03
        some = np.flatnonzero(planes[which, :-2])
        for _ in range(REFINED):
            tried = planes.copy()
            new = tried[which]
            new[some] += step * rng.standard_normal(len(some))
            new[-2] += step * rng.standard_normal()
            new[:-1] /= np.linalg.norm(new[:-2])
            new[-1] = planes[which, -1] * np.exp(20.0 * step * rng.standard_normal())
            new[-1] = np.clip(new[-1], *BETWEEN)
            its = self(tried) if self._crosses(new) else -np.inf
            if its > best:
                planes, best = tried, its
                step *= 1.3
            else:
                step *= 0.8
        return planes, best


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
            plane = np.zeros(dim + 2)
            plane[list(variables)], plane[-2:] = normal[row], (c[row], WIDTH)
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
    return np.asarray(np.arcsinh((x @ planes[:, :-2].T - planes[:, -2]) / planes[:, -1]) / SHRINK)
