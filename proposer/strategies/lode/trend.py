"""The trend of the energy over the whole cube, by one Gaussian process, for steps downhill with an NLL alone.

From a hundred points in twenty dimensions, networks learn hardly anything. But most likelihoods are smooth, and a
process with one length scale then shows where to go. Whether it can is seen by predicting each point from the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import ndtr

from proposer.strategies.lode.local import ABOVE, best_length, correlation, fit, solved
from proposer.strategies.lode.residuals import FARTHEST, LEAST_ERROR
from proposer.strategies.lode.train import training_rows
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable

    from proposer.strategies.lode.points import Known

MOST, LEAST = 600, 20
"""The largest and the smallest number of points from which the process learns."""
UNIT = 0.25
"""The unit of the length scales, in diagonals of the cube."""
BETTER = 0.9
"""The process is used if it predicts each point from the others with a mean square error below BETTER times that of a
constant. For smooth problems the ratio is 0.1 to 0.8, for those with thin or many separate regions about one.
"""
LOWEST, TRIES, KEPT, ROUNDS = 10, 400, 60, 12
"""A search for a minimum starts from the LOWEST known points. In each of its ROUNDS, TRIES points near the kept points
and between them are tried, and the lowest KEPT are kept.
"""
SIZES, SMALLER = (0.02, 0.05, 0.15), 0.9
"""The sizes of steps in each variable, and the factor by which they shrink in each round."""
APART = 0.05
"""The smallest distance of a chosen point from others without a result, in diagonals of the cube."""


@dataclass(frozen=True)
class Trend:
    """A process of log(1 + energy) of the known points `u`, shape (n, d), at the positions `at`, shape (n, k), in the
    order of the energies. It predicts the `mean` plus the sum of the `weights`, shape (n,), times the correlations for
    `length`.
    """

    u: Floats
    at: Floats
    weights: Floats
    mean: float
    length: float
    variance: float
    inverse: Floats
    """The inverse of the Cholesky factor of the correlations, shape (n, n)."""

    @classmethod
    def of(cls, known: Known, at: Floats, rng: np.random.Generator) -> Trend | None:
        """The process of the known points with the positions `at`, shape (n, k); None if it predicts badly."""
        rows = np.flatnonzero(known.answered)
        energy = known.energy[rows]
        if not np.isfinite(energy).any() or len(rows) < LEAST:
            return None
        energy = np.where(np.isfinite(energy), energy, ABOVE * energy[np.isfinite(energy)].max()).clip(max=FARTHEST)
        order = training_rows(known.u[rows], energy, MOST, rng)
        order = order[np.argsort(energy[order], kind="stable")]
        at, values = at[rows[order]], np.log1p(energy[order])
        if np.ptp(values) == 0.0:
            return None
        length = best_length(at[None], values[None], UNIT * float(np.sqrt(known.u.shape[1])))
        root, above, mean, variance = fit(cdist(at, at)[None], values[None], length)
        inverse = solved(root, np.eye(len(at))[None])[0]
        weights = inverse.T @ above[0]
        off = weights / (inverse**2).sum(axis=0)  # Rasmussen and Williams, section 5.4.2
        if float((off**2).mean()) > BETTER * float(values.var()):
            return None
        return cls(
            known.u[rows[order]],
            at,
            weights,
            mean=float(mean[0]),
            length=length,
            variance=float(variance[0]),
            inverse=inverse,
        )

    def __call__(self, at: Floats) -> Floats:
        """log(1 + energy), shape (m,), at positions, shape (m, k)."""
        return np.asarray(self.mean + correlation(cdist(at, self.at), self.length) @ self.weights)

    def probability(self, at: Floats) -> Floats:
        """The probability of being good, shape (m,), at positions, shape (m, k)."""
        fall = correlation(cdist(at, self.at), self.length)
        unknown = np.clip(1.0 - ((fall @ self.inverse.T) ** 2).sum(axis=1), 0.0, None)
        width = np.sqrt(self.variance * unknown + LEAST_ERROR**2)
        return np.asarray(ndtr((math.log(2.0) - self.mean - fall @ self.weights) / width))


def lowest(
    trend: Trend, positions: Callable[[Floats], Floats], *, n: int, others: Floats, rng: np.random.Generator
) -> Floats:
    """n points, shape (n, d), with low predictions, at some distance from each other and from the `others`, shape (k,
    d). `positions` maps points to the coordinates in which distances are measured.
    """
    chosen = others
    for _ in range(n):
        chosen = np.concatenate([chosen, _minimum(trend, positions, chosen, rng)[None]])
    return chosen[len(others) :]


def _minimum(trend: Trend, positions: Callable[[Floats], Floats], others: Floats, rng: np.random.Generator) -> Floats:
    """A point, shape (d,), with a low prediction, at some distance from the `others`, shape (k, d)."""
    u = trend.u[:LOWEST]
    for turn in range(ROUNDS):
        u = np.concatenate([u, _tried(u, SMALLER**turn, rng)])
        at = positions(u)
        close = cdist(at, positions(others)).min(axis=1, initial=np.inf) < APART * np.sqrt(u.shape[1])
        u = u[np.lexsort((trend(at), close))[:KEPT]]
    return np.asarray(u[0])


def _tried(u: Floats, size: float, rng: np.random.Generator) -> Floats:
    """Points in the cube near the points u, shape (k, d), and between two of them, shape (TRIES, d)."""
    of, a, b = u[rng.integers(len(u), size=(3, TRIES))]
    step = size * rng.choice(SIZES, (TRIES, 1)) * rng.standard_normal(of.shape)
    step *= rng.random(of.shape) < rng.choice([0.15, 0.5, 1.0], (TRIES, 1))  # some change only a few variables
    step[: TRIES // 3] = (rng.random((TRIES, 1)) * (a - b))[: TRIES // 3]
    return np.asarray(np.clip(of + step, 0.0, 1.0))
