"""Finds planes at which an observable changes abruptly: resonances, coannihilation, thresholds.

Such a feature is as thin as a hundredth of the cube, and lies where two masses have a fixed ratio or difference, which
is a plane in (mostly logarithmic) variables. Neither a process with one length scale for each variable nor a network
resolves it. So the distance from the plane, on a scale that is fine close to the plane, becomes an input of both.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc
from torch import Tensor, from_numpy

from proposer.strategies.lode.marginal import KIND, LENGTH, NORMAL, WIDTH, C, Fit, Marginal, distances
from proposer.strategies.lode.process import Processes
from proposer.types import Floats

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
NO_LENGTH = 20.0
"""The first length scale of a new input for the outputs whose ridge it is not."""
WORTH, OTHER_KIND = 12.0, 3.0
"""A plane must raise the logarithm of the marginal likelihood by WORTH, and another kind of its input by OTHER_KIND."""
FROM = 800
"""The largest number of points from which planes are found."""
TRIED, PAIRS, OF_PAIR, COMPARED, CLIMBED = 300, 6000, 4, 30, 4
"""At most TRIED planes through two outliers are tried for a pair of variables, and PAIRS in all. OF_PAIR of each pair
are kept, and the best COMPARED of these are compared by their likelihood, each as a step and as a peak. The best
CLIMBED of them climb.
"""
STEPS, FEW_STEPS = 20, 10
"""The largest number of steps of a climb of all planes, and of one of a single plane."""
APART, DIAGONAL = 0.4, 0.2
"""Two outliers that define a plane are at least APART. Both components of its normal are at least DIAGONAL."""
WIDTHS = (0.005, 0.01, 0.02, 0.04)
"""The distances up to which outliers are counted as close to a plane."""


class Ridges:
    """Planes n x = c in the inputs x of a regression. `planes`, shape (k, d + 3), holds n, of unit length, c, the
    width, and 1 for a peak (a resonance, symmetric about the plane) or 0 for a step.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.planes: Floats = np.empty((0, dim + 3))
        self.found_from = 0
        """The number of points at the last search."""
        self._before = 0  # the number of planes before the last search
        self._of_others = np.zeros(0, dtype=np.bool_)  # which of these belonged to other outputs
        self.came: list[int] = []
        """The position of each plane before the last search, -1 for a new one, or one with another kind of input: what
        networks have learned from its input is wrong then.
        """

    def __call__(self, x: Floats) -> Floats:
        """The inputs x, shape (n, d), and behind them the distances from the planes, shape (n, d + k)."""
        return np.concatenate([x, distances(x, self.planes)], axis=1) if len(self.planes) else x

    def of(self, z: Tensor) -> Tensor:
        """The same for tensors."""
        return from_numpy(self(z.numpy())) if len(self.planes) else z

    def widths_from(self, z: Tensor, plane: int) -> Tensor:
        """The distance of inputs z, shape (n, d), from a plane in its widths, shape (n,); a width is at least
        LEAST_WIDTH.
        """
        normal, (c, width) = self.planes[plane, NORMAL], self.planes[plane, C:KIND]
        return from_numpy(np.abs(z.numpy() @ normal - c) / max(width, LEAST_WIDTH))

    @property
    def next_from(self) -> float:
        """The number of points from which planes are looked for again."""
        if self.found_from < FEW:
            return max(FIRST, OFTEN * self.found_from)
        return (SOON if len(self.planes) else AGAIN) * self.found_from

    def worst(self, errors: Floats, limit: float, by_nets: NDArray[np.bool_], points: int) -> list[int]:
        """The outputs whose planes are looked for, at most OUTPUTS, the worst first. The `errors`, shape (k,), of their
        processes are above `limit`. From FEW points on, and without planes so far, networks predict them.
        """
        bad = (errors > limit) & (by_nets | (len(self.planes) > 0) | (points < FEW))
        return [j for j in np.argsort(-errors, kind="stable").tolist() if bad[j]][:OUTPUTS]

    def look(
        self, x: Floats, t: Floats, values: Processes, worst: Sequence[int], rng: np.random.Generator
    ) -> tuple[Processes, bool]:
        """Looks for planes of the outputs `worst`, by `find`. `values` predicts all outputs t, shape (n, k). Returns
        the process with the present planes as inputs, without data, and whether there are new planes, or some were
        forgotten.
        """
        changed, rest = False, values.without_waves(x, t)
        for j in worst:
            process = values.only(j)
            process.waves.clear()
            self.find(x, rest[:, j : j + 1], process, rng, of_others=self.outputs(values) != j)
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
        if self._mine():
            process = self._improve(Marginal(x, t, self.planes, process, rng)).process
        for _ in range(NEW):
            process.learn(self(x), t, rng)
            marginal = Marginal(x, t, self.planes, process, rng)
            fit = self._new(marginal, through_outliers(x, marginal.outlier, rng))
            if fit is None:
                break
            self.planes = fit.planes
            self.came.append(-1)
            process = (self._without_weak(marginal, fit) if self._too_many() else fit).process

    def _mine(self) -> list[int]:
        """The positions of the planes of the output of the last search."""
        return [k for k, position in enumerate(self.came) if position < 0 or not self._of_others[position]]

    def _too_many(self) -> bool:
        return len(self._mine()) > MOST or len(self.came) > IN_ALL

    def _improve(self, marginal: Marginal) -> Fit:
        """Moves the planes, gives them the other kind of input if that is better, and forgets weak ones."""
        mine = self._mine()
        fit = marginal.climbed(marginal.fit, mine, STEPS)
        if fit.value == -np.inf:  # a plane has left the points
            fit = marginal.fit
        for plane in mine:
            other = marginal.climbed(fit.as_other_kind(plane), mine, FEW_STEPS)
            if other.value > fit.value + OTHER_KIND:
                fit, self.came[plane] = other, -1
        return self._without_weak(marginal, fit)

    def _new(self, marginal: Marginal, tried: list[Floats]) -> Fit | None:
        """The numbers with the best new plane of those that are tried; None if it is not worth it."""
        new = [len(self.planes)]
        without = marginal.climbed(marginal.fit, [], FEW_STEPS)
        every = [marginal.fit.with_plane(np.append(plane[:KIND], kind)) for plane in tried for kind in (0.0, 1.0)]
        every = sorted(every, key=marginal.value, reverse=True)[:CLIMBED]
        every = [marginal.climbed(fit, new, FEW_STEPS) for fit in every]
        best = max(every, key=lambda fit: fit.value, default=without)
        if best.value < without.value + WORTH:
            return None
        fit = marginal.climbed(best, self._mine() + new, STEPS)
        return fit if fit.value > -np.inf else best

    def _without_weak(self, marginal: Marginal, fit: Fit) -> Fit:
        """Forgets planes of this output, the weakest first, while there are too many or one is not worth it. Returns
        the numbers for the others.
        """
        while mine := self._mine():
            every = [fit.without(plane) for plane in mine]
            values = [marginal.value(one) for one in every]
            weakest = int(np.argmax(values))
            if not self._too_many() and marginal.value(fit) > values[weakest] + WORTH:
                break
            fit = every[weakest]
            del self.came[mine[weakest]]
        self.planes = fit.planes
        return fit

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
        """Restores the state from the arrays of `to_arrays`. An older lodescan had no planes, or only steps."""
        planes = arrays.get("planes", self.planes)
        missing = self.planes.shape[1] - planes.shape[1]
        self.planes, self.found_from = np.pad(planes, ((0, 0), (0, missing))), int(arrays.get("found_from", 0))


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
            plane[list(variables)], plane[C:KIND] = normal[row], (c[row], WIDTH)
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
