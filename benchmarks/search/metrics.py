"""How well do good points cover the good region?

5,000 reference points, uniform in the good region, are cut into 256 cells with the same
share of the good volume each (a k-d tree of medians). A thousand uniform points occupy
0.98 to 0.99 of them, at a uniformity of about 0.89.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.problems import Problem
from proposer.types import Floats

CELLS = 256
REFERENCE, RARE = 5000, 5e-4
"""The number of reference points, and the good share of the cube below which they come from subset simulation."""
_CACHE = Path(__file__).parent / ".cache"

SAMPLER = 2
"""The version of the method that draws the reference points. Stored points of an older version are not used."""


@dataclass(frozen=True)
class Cells:
    """The cells of a problem, in the unit cube; `axis`, `cut` of the inner nodes, in heap order. `volume`: the good
    share of the cube."""

    points: Floats
    volume: float
    axis: NDArray[np.int64]
    cut: Floats

    @classmethod
    def of_problem(cls, problem: Problem) -> Cells:
        """The 256 cells of a problem, made from 5,000 reference points."""
        return cls.cached(problem.name, lambda: uniform_good_points(problem), CELLS)

    @classmethod
    def cached(cls, name: str, make: Callable[[], tuple[Floats, float]], count: int) -> Cells:
        """Makes so many cells, a power of two, from uniform good points and the good volume. These are computed at the
        first use and stored.
        """
        path = _CACHE / f"{name}.{SAMPLER}.npz"
        if not path.exists():
            _CACHE.mkdir(exist_ok=True)
            points, volume = make()
            np.savez_compressed(path, points=points, volume=volume)
        with np.load(path) as file:
            return cls.of_points(file["points"], float(file["volume"]), count)

    @classmethod
    def of_points(cls, points: Floats, volume: float, count: int) -> Cells:
        """Makes so many cells, a power of two, from uniform good points (n, d) and the good volume."""
        nodes, axes, cuts = [points], [], []
        while len(nodes) < count:
            below = []
            for node in nodes:
                axis = int(node.var(axis=0).argmax())
                cut = float(np.median(node[:, axis]))
                axes.append(axis)
                cuts.append(cut)
                left = node[:, axis] < cut
                below += [node[left], node[~left]]
            nodes = below
        return cls(points, volume, np.array(axes), np.array(cuts))

    @property
    def count(self) -> int:
        """The number of cells."""
        return len(self.axis) + 1

    def cell(self, u: Floats) -> NDArray[np.int64]:
        """The number of the cell, shape (n,), of points u (n, d)."""
        node = np.zeros(len(u), dtype=np.int64)
        rows = np.arange(len(u))
        for _ in range(int(np.log2(self.count))):
            node = 2 * node + 1 + (u[rows, self.axis[node]] >= self.cut[node])
        return node - (self.count - 1)

    def occupied(self, u: Floats) -> float:
        """The share of the cells that hold at least one of the points."""
        return len(np.unique(self.cell(u))) / self.count

    def uniformity(self, u: Floats) -> float:
        """exp(entropy of the shares of the cells) / cells: 1 for a perfectly even sample."""
        if not len(u):
            return 0.0
        share = np.bincount(self.cell(u)) / len(u)
        share = share[share > 0]
        return float(np.exp(-(share * np.log(share)).sum()) / self.count)

    def evaluations_to(self, share: float, u: Floats, position: NDArray[np.int64]) -> int | None:
        """The number of evaluations until points u (n, d), evaluated at `position` (n,), occupied this share of the
        cells.
        """
        first = np.unique(self.cell(u), return_index=True)[1] if len(u) else np.empty(0, dtype=np.int64)
        needed = int(np.ceil(share * self.count))
        return int(position[np.sort(first)[needed - 1]]) + 1 if len(first) >= needed else None


def uniform_good_points(problem: Problem) -> tuple[Floats, float]:
    """5,000 points uniform in the good region, and its volume: plain draws where it is larger than RARE, else
    subset simulation on the true function with 20,000 particles and long chains."""
    rng = np.random.default_rng(20260)
    good, draws = good_draws(problem, rng)
    if len(good) > RARE * draws:
        found, drawn = [good], draws
        while sum(map(len, found)) < REFERENCE:
            good, draws = good_draws(problem, rng)
            found.append(good)
            drawn += draws
        points = np.concatenate(found)
        return points[:REFERENCE], len(points) / drawn
    n, volume, level = 20_000, 1.0, np.inf
    u = rng.random((n, problem.dim))
    e = _energy(problem, u)
    while level > 1.0:
        level = max(1.0, float(np.quantile(e, 0.3)))
        inside = np.flatnonzero(e < level)
        volume *= len(inside) / n
        chosen = rng.choice(inside, n)
        u, e = u[chosen], e[chosen]
        for _ in range(30 if level > 1.0 else 150):
            a, b = rng.integers(0, n, (2, n))
            size = rng.choice([0.1, 0.3, 0.7, 1.0], n)[:, None] * 2.38 / np.sqrt(2 * problem.dim)
            which = rng.random(u.shape) < rng.choice([0.15, 0.4, 1.0], n)[:, None]
            new = u + which * (size * (u[a] - u[b]) + 0.003 * rng.standard_normal(u.shape))
            within = ((new >= 0) & (new <= 1)).all(
                axis=1
            )  # steps out of the cube are rejected; reflecting them would not be symmetric
            e_new = _energy(problem, np.where(within[:, None], new, u))
            moved = within & (e_new < level)
            u[moved], e[moved] = new[moved], e_new[moved]
    return u[rng.choice(n, REFERENCE, replace=False)], volume


def good_draws(problem: Problem, rng: np.random.Generator, n: int = 400_000) -> tuple[Floats, int]:
    """The good ones of n uniform draws from the cube, and n."""
    u = rng.random((n, problem.dim))
    return u[_energy(problem, u) < 1.0], n


def _energy(problem: Problem, u: Floats) -> Floats:
    nll = problem.evaluate(u)[1]
    return np.asarray(np.where(np.isfinite(nll), nll / problem.threshold, 1e9))
