"""A local minimum need not be a region: points at every level of the energy, far from all that is known.

A thin resonance shows in its wings first. So where the lowest energy has stopped falling and nothing new is good, other
basins are followed down, and the whole cube and each level of the sampler are filled evenly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.descend import apart, beside
from proposer.strategies.lode.select import Candidates, even
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

SHARE, BASINS_SHARE = 0.4, 0.4
"""Of a batch, while the search is stuck: for the levels, and for other basins."""
BASINS, TINY, AROUND = 8, 0.004, 2
"""Basins at a time; a basin is known where the neighbours of its lowest point are so near, in diagonals of the cube;
neighbours, in dimensions, that a lowest point is the lowest of."""
PATIENCE, PATIENCE_BY_DIMENSION, FALL = 60, 15, 0.9
"""It is stuck when the last so many answers, so many for each dimension, or the last quarter of them, whichever are the
most, did not lower the energy to this share of what it was before."""


def stuck(known: Known) -> bool:
    """Whether nothing new is good and the lowest energy has stopped falling."""
    has_energy = np.isfinite(known.energy)
    energy, good = known.energy[has_energy], known.good[has_energy]
    last = max(PATIENCE, PATIENCE_BY_DIMENSION * known.u.shape[1], len(energy) // 4)
    if len(energy) <= last or good[-last:].any():
        return False
    return bool(energy[-last:].min() > FALL * energy[:-last].min())


def spread(context: Context, n: int) -> Floats:
    """A part: half of its points from the whole cube, and of the others as many from every level; always the farthest
    from all that is known, is out or was chosen."""
    n = min(n, round(SHARE * context.n))
    levels = [*(u for u in context.levels if len(u)), context.inside]
    busy, found = context.positions(context.busy), list[Floats]()
    counts = [n // 2, *(n // 2 // len(levels) + (number < n // 2 % len(levels)) for number in range(len(levels)))]
    for u, count in zip([np.concatenate(levels), *levels], counts, strict=True):
        positions = context.positions(u)
        rows = even(Candidates(positions, np.ones(len(u))), busy, count)
        found.append(u[rows])
        busy = np.concatenate([busy, positions[rows]])
    return np.concatenate(found)


def lowest(known: Known) -> tuple[NDArray[np.int64], Floats]:
    """Positions, shape (n,), of points that are lower than all their neighbours, which are not very near yet, the
    lowest first; and the mean distances, shape (n,), to these."""
    rows = np.flatnonzero(np.isfinite(known.slope))
    u, energy = known.u[rows], known.slope[rows]
    count = min(AROUND * u.shape[1] + 1, len(rows))
    if count < 2:
        return rows[:0], np.empty(0)
    distance, near = map(np.asarray, cKDTree(u).query(u, k=count))
    width = distance[:, 1:].mean(axis=1)
    open_ = (energy < energy[near[:, 1:]].min(axis=1)) & (width > TINY * np.sqrt(u.shape[1]))
    found = np.flatnonzero(open_)
    found = found[np.argsort(energy[found], kind="stable")]
    return rows[found], width[found]


def basins(known: Known, most: int) -> NDArray[np.int64]:
    """Positions of at most `most` of these, some way apart."""
    return apart(known.u, lowest(known)[0], most)


def other_basins(context: Context, n: int) -> Floats:
    """A part: steps downhill in basins that are not known to their bottom."""
    n = min(n, round(BASINS_SHARE * context.n))
    of = basins(context.known, min(BASINS, n))
    if not len(of):
        return np.empty((0, context.dim))
    return context.snap(beside(context.surrogate.members, context.known, of, n, context.generator("basins")))


OTHER_BASINS = Part("explore", other_basins)
SPREAD = Part("explore", spread)
