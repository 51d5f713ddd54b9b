"""Many separate regions: each basin is followed to its bottom, for a few evaluations.

A model of the whole cube does not see a hundred small regions before it has a good point in each of them. A basin needs
no such model: each known point that is lower than all its neighbours is improved by a small Gaussian process of the
points around it (`local.py`), until it is good or its bottom is known. New basins are looked for in the largest holes
between the points. The fraction of a batch for basins depends on how often such points began a new part of the good
region, compared with the points of the other parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.local import descend
from proposer.strategies.lode.residuals import FARTHEST
from proposer.strategies.lode.select import Candidates, even
from proposer.strategies.lode.spread import lowest
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

MOST, PAYS = 0.7, 0.04
"""The largest fraction of a batch. It is reached if the fraction PAYS of these points began new parts of the region,
and no point of another part did.
"""
FINDS, TRIED, LAST = 1.0, 60.0, 300
"""Before any of these points was tried, FINDS new parts in TRIED points are assumed. Only the LAST points count."""
MOST_DIM = 6
"""In more dimensions, neighbours do not show whether a region is separate, because they lie all over the cube."""
OTHERS = ("explore", "probe", "exploit", "solve", "fill")
AROUND = 1
"""The lowest known point of a basin is lower than its AROUND d neighbours. With 2 d, most basins beside a good region
were not seen, because some of the neighbours are in this region, and lower.
"""
EACH, OUT = 2, 0.5
"""The number of points for a basin in a batch. A basin waits as long as a point without a result is closer to its
lowest point than OUT mean distances to the neighbours.
"""
MOST_BASINS = 200
"""The largest number of basins in a batch, because the Gaussian processes of 600 basins take half a gigabyte."""
HOLES = 0.3
"""The least fraction of these points in holes, once this part has found something. Without points in holes, the basins
that were never found had few points on their slopes, or none, because *explore* stays close to what the model knows.
"""
DRAWN = 2000
"""The number of points from which those in the largest holes are chosen."""


def began(known: Known, rows: NDArray[np.int64]) -> int:
    """How many of the points at the positions `rows` began a new part of the region: they are good, but none of their
    neighbours at that time was.
    """
    count = 2 * known.u.shape[1]
    found = 0
    for row in rows[known.good[rows]].tolist():
        distance = cdist(known.u[row : row + 1], known.u[:row])[0]
        near = np.argpartition(distance, count)[:count] if row > count else np.arange(row)
        found += not known.good[near].any()
    return found


def share(known: Known) -> float:
    """The fraction of a batch for basins."""

    def rate(origins: Sequence[str], finds: float, tried: float) -> float:
        rows = np.flatnonzero(np.isin(known.origins, origins))[-LAST:]
        return (began(known, rows) + finds) / (len(rows) + tried)

    these, others = rate(("basin",), FINDS, TRIED), rate(OTHERS, 0.0, 1.0)
    return MOST * min(1.0, these / PAYS) ** 2 * these**2 / (these**2 + others**2)


def follow(context: Context, n: int) -> Floats:
    """A part: points downhill in each basin whose bottom is unknown and in which no point is waiting for its result.
    Once such points have begun a new part of the region, the rest of this part's share lies in the largest holes
    between all points.
    """
    known, rng, dim = context.known, context.generator("basin"), context.dim
    if context.surrogate.by_observables or dim > MOST_DIM:  # processes see basins: probes are enough
        return np.empty((0, dim))
    n = min(n, round(share(known) * context.n))
    pays = began(known, np.flatnonzero(known.origins == "basin")[-LAST:]) > 0
    downhill = n - round(HOLES * n) if pays else n
    of, widths = lowest(known, AROUND)
    open_ = ~known.good[of]
    if len(context.pending):
        open_ &= np.asarray(cKDTree(context.pending).query(known.u[of])[0]) > OUT * widths
    of, widths = of[open_], widths[open_]
    chosen = distinct(known.u[of], widths, min(-(-downhill // EACH), MOST_BASINS))
    found = np.empty((0, dim))
    if len(chosen):
        seen = np.flatnonzero(np.isfinite(known.slope))
        where = np.searchsorted(seen, of[chosen])
        energy = known.slope[seen].clip(max=FARTHEST)
        found = descend(known.u[seen], energy, where, widths[chosen], each=EACH, rng=rng).reshape(-1, dim)[:downhill]
    if pays:
        found = np.concatenate([found, holes(np.concatenate([context.busy, found]), n - len(found), rng)])
    return context.snap(found)


def distinct(u: Floats, widths: Floats, most: int) -> NDArray[np.int64]:
    """The positions of at most `most` of the points u, shape (n, d), each in a basin of its own. A point is chosen if
    its distance from all earlier chosen points is larger than its width, one of `widths`, shape (n,).
    """
    chosen: list[int] = []
    for row in range(len(u)):
        if len(chosen) == most:
            break
        if (np.linalg.norm(u[chosen] - u[row], axis=1) > widths[row]).all():
            chosen.append(row)
    return np.array(chosen, dtype=np.int64)


def holes(busy: Floats, n: int, rng: np.random.Generator) -> Floats:
    """n points of the cube, shape (n, d): each is the farthest of many from the points `busy` (k, d) and from the
    others.
    """
    drawn = rng.random((DRAWN, busy.shape[1]))
    return np.asarray(drawn[even(Candidates(drawn, np.ones(len(drawn))), busy, n)])


BASINS = Part("basin", follow)
