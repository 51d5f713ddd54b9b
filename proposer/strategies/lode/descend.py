"""Steps downhill until there are good points, with an NLL alone.

Before that, networks know too little to find a small region in many dimensions, but they learn quickly near the lowest
points. A smooth energy also has a trend (`trend.py`), which comes near to the region with fewer points, but not into
thin ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.trend import lowest
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable

    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

SHARE = 0.8
"""The fraction of a batch. With 0.4, the hundredth good point of multi10d came after about 880 evaluations instead of
700.
"""
CENTRES, APART = 3, 0.12
"""The number of points at which steps start, and their smallest distance, in diagonals of the cube. With six such
points, a scan of multi10d had a thousand good points 17 to 21 % later. Without steps it had them 63 % later (one seed).
"""
TRIES, SPACING = 200, 0.1
"""The number of steps that are tried from each point, and the smallest distance between chosen steps, in distances to
its neighbours.
"""


def downhill(context: Context, n: int) -> Floats:
    """A part: steps downhill from the lowest points."""
    n = min(n, round(_share(context) * context.n))
    return context.snap(descend(context.surrogate.members, context.known, n, context.generator("descend")))


def along_trend(context: Context, n: int) -> Floats:
    """A part: the lowest points of the trend, if there is one."""
    if context.trend is None:
        return np.empty((0, context.dim))
    n, rng = min(n, round(_share(context) * context.n)), context.generator("along")
    return context.snap(lowest(context.trend, context.positions, n=n, others=context.pending, rng=rng))


def _share(context: Context) -> float:
    """The fraction of a batch that a part gets: half of SHARE if the trend and the networks share it."""
    return SHARE / 2 if context.trend is not None and context.leading is None else SHARE


def descend(predict: Callable[[Floats], Floats], known: Known, n: int, rng: np.random.Generator) -> Floats:
    """At most n points, shape (n, d), near the lowest points."""
    return beside(predict, known, centres(known, min(CENTRES, n)), n, rng)


def beside(
    predict: Callable[[Floats], Floats], known: Known, of: NDArray[np.int64], n: int, rng: np.random.Generator
) -> Floats:
    """At most n points, shape (n, d), near the points at the positions `of`, within the distance of their neighbours.
    The models in turn choose the point with their lowest prediction. `predict` maps (k, d) to energies, shape (models,
    k).
    """
    dim = known.u.shape[1]
    if not len(of):
        return np.empty((0, dim))
    near = cKDTree(known.u).query(known.u[of], k=min(dim + 1, len(known.u)))[0]
    widths = np.asarray(near).reshape(len(of), -1)[:, 1:].mean(axis=1)
    found = []
    for number, (row, width) in enumerate(zip(of.tolist(), widths.tolist(), strict=True)):
        size = 1.5 * width / np.sqrt(dim) * rng.choice([0.25, 0.5, 1.0], (TRIES, 1))
        step = size * rng.standard_normal((TRIES, dim))
        step[: TRIES // 2] *= rng.random((TRIES // 2, dim)) < 0.4  # half of the steps change only some variables
        tried = np.abs(known.u[row] + step)
        tried = np.where(tried > 1.0, 2.0 - tried, tried).clip(0.0, 1.0)
        energy = predict(tried)
        free = np.ones(TRIES, dtype=np.bool_)
        for turn in range(n // len(of) + (number < n % len(of))):
            best = int(np.argmin(np.where(free, energy[turn % len(energy)], np.inf)))
            found.append(tried[best])
            free &= np.linalg.norm(tried - tried[best], axis=1) > SPACING * width
            free[best] = False
            if not free.any():
                break
    return np.array(found).reshape(-1, dim)


def centres(known: Known, most: int) -> NDArray[np.int64]:
    """The positions of at most `most` points with the lowest energies, at some distance from each other."""
    rows = np.flatnonzero(np.isfinite(known.energy))
    rows = rows[np.argsort(known.energy[rows], kind="stable")]
    return apart(known.u, rows[: max(20, len(rows) // 4)], most)


def apart(u: Floats, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of the `rows` of u, shape (n, d): the first row, and each next row at some distance from all
    chosen rows.
    """
    distance = APART * np.sqrt(u.shape[1])
    chosen: list[int] = []
    for row in rows.tolist():
        if len(chosen) < most and all(np.linalg.norm(u[row] - u[other]) > distance for other in chosen):
            chosen.append(row)
    return np.array(chosen, dtype=np.int64)


DOWNHILL, ALONG_TREND = Part("probe", downhill), Part("probe", along_trend)
