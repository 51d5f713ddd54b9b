"""Points at every level of the energy, far from all known points, if the search is stuck in a local minimum.

The wings of a thin resonance are found first. So if the lowest energy has stopped falling and no new point is good, the
search also goes down in other basins, and fills the whole cube and each level of the sampler evenly.
"""

from __future__ import annotations

import math
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
"""The fractions of a batch for the levels and for other basins, while the search is stuck."""
BASINS, TINY, AROUND = 8, 0.004, 2
"""The number of basins at a time. The bottom of a basin is known if the neighbours of its lowest point are closer than
TINY diagonals of the cube. A lowest point is lower than its AROUND d neighbours in d dimensions.
"""
PATIENCE, PATIENCE_BY_DIMENSION, FALL = 60, 15, 0.9
"""The search is stuck if the last answers did not lower the energy to the fraction FALL of its value before them. Their
number is the largest of PATIENCE, PATIENCE_BY_DIMENSION per dimension, and a quarter of all answers.
"""


def stuck(known: Known) -> bool:
    """Whether no new point is good and the lowest energy has stopped falling."""
    has_energy = np.isfinite(known.energy)
    energy, good = known.energy[has_energy], known.good[has_energy]
    last = max(PATIENCE, PATIENCE_BY_DIMENSION * known.u.shape[1], len(energy) // 4)
    if len(energy) <= last or good[-last:].any():
        return False
    return bool(energy[-last:].min() > FALL * energy[:-last].min())


def spread(context: Context, n: int) -> Floats:
    """A part: half of its points are chosen among the particles of all levels, the others in equal numbers among those
    of each level. Each point is the particle that is farthest from all known, requested, and chosen points.
    """
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


def lowest(known: Known, around: float = AROUND, *, than_one: bool = False) -> tuple[NDArray[np.int64], Floats]:
    """Positions, shape (n,), of points that are lower than the `around` d (rounded up, from 1 to AROUND d) points
    nearest to them, or `than_one` of their AROUND d neighbours, the lowest first; and the mean distances, shape (n,),
    to their AROUND d neighbours. Points whose neighbours are very near are left out. An INVALID point is higher than
    all others, because a region may lie between INVALID points.
    """
    rows = np.flatnonzero(np.isfinite(known.rising) | known.invalid)
    u, energy = known.u[rows], np.nan_to_num(known.rising[rows], nan=np.inf)
    count = min(AROUND * u.shape[1] + 1, len(rows))
    if count < 2:
        return rows[:0], np.empty(0)
    distance, near = map(np.asarray, cKDTree(u).query(u, k=count))
    width = distance[:, 1:].mean(axis=1)
    nearest = near[:, 1 : max(1, math.ceil(around * u.shape[1])) + 1]
    higher = energy[near].max(axis=1) if than_one else energy[nearest].min(axis=1)
    open_ = (energy < higher) & np.isfinite(energy) & (width > TINY * np.sqrt(u.shape[1]))
    found = np.flatnonzero(open_)
    found = found[np.argsort(energy[found], kind="stable")]
    return rows[found], width[found]


def basins(known: Known, most: int) -> NDArray[np.int64]:
    """The positions of at most `most` of the points of `lowest`, at some distance from each other."""
    return apart(known.u, lowest(known)[0], most)


def other_basins(context: Context, n: int) -> Floats:
    """A part: steps downhill in basins whose bottom is not known."""
    n = min(n, round(BASINS_SHARE * context.n))
    of = basins(context.known, min(BASINS, n))
    if not len(of):
        return np.empty((0, context.dim))
    return context.snap(beside(context.surrogate.members, context.known, of, n, context.generator("basins")))


OTHER_BASINS = Part("explore", other_basins)
SPREAD = Part("explore", spread)
