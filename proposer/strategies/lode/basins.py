"""Many separate regions: each basin is followed to its bottom, for a few evaluations.

A model of the whole cube does not see a hundred small regions before it has a good point in each of them. A basin needs
no such model: each known point that is lower than all its neighbours is improved by steps to all sides, and by a
quadratic form through them, until it is good or its bottom is known. How many points go there follows how many new
parts of the region such points began, beside those of the other parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.spread import lowest
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

MOST, PAYS = 0.6, 0.04
"""Share of a batch, if so many of these points began new parts of the region, and those of no other part did."""
FINDS, TRIED, LAST = 1.0, 60.0, 300
"""What is taken before any was tried, so many finds of so many points; and points that are looked at."""
MOST_DIM = 6
"""In more dimensions neighbours do not say whether a region is separate: 16 of them are a sample of the whole cube."""
OTHERS = ("explore", "probe", "exploit", "solve", "fill")
SIDE = 0.5
"""Length of the steps to all sides of a basin's lowest point, in distances to its neighbours. With steps at random, as
long, a mode of a hundred took 22 evaluations instead of 17."""
REACH, STIFF = 1.5, 0.1
"""The form is followed so far, in distances to the neighbours; its curvatures are alike unless points say no."""


def began(known: Known, rows: NDArray[np.int64]) -> int:
    """How many of the points `rows` began a new part of the region: good, and with no good one among their neighbours
    of the time."""
    count = 2 * known.u.shape[1]
    found = 0
    for row in rows[known.good[rows]].tolist():
        distance = cdist(known.u[row : row + 1], known.u[:row])[0]
        near = np.argpartition(distance, count)[:count] if row > count else np.arange(row)
        found += not known.good[near].any()
    return found


def share(known: Known) -> float:
    """The share of a batch that basins deserve."""

    def rate(origins: Sequence[str], finds: float, tried: float) -> float:
        rows = np.flatnonzero(np.isin(known.origins, origins))[-LAST:]
        return (began(known, rows) + finds) / (len(rows) + tried)

    these, others = rate(("basin",), FINDS, TRIED), rate(OTHERS, 0.0, 1.0)
    return MOST * min(1.0, these / PAYS) ** 2 * these / (these + others)


def minimum(v: Floats, energy: Floats) -> Floats | None:
    """Where a quadratic form through energies, shape (n,), at v, shape (n, d), is lowest; None where it has no minimum.
    The first is at 0, the lowest, and of the others those near it in energy count most."""
    dim = v.shape[1]
    above = energy - energy[0]
    v, above = v[above >= 0.0], above[above >= 0.0]  # what is lower belongs to another basin
    if len(v) <= 2 * dim:
        return None
    weight = 1.0 / (above + abs(energy[0]) + 1e-300)
    pairs = np.triu_indices(dim)
    products = v[:, pairs[0]] * v[:, pairs[1]]
    columns = np.concatenate([np.ones((len(v), 1)), v, 0.5 * (v**2).sum(axis=1, keepdims=True), products], axis=1)
    stiff = np.concatenate([np.full(dim + 2, 1e-3), np.full(len(pairs[0]), STIFF)])
    a = np.concatenate([columns * weight[:, None], np.diag(stiff)])
    b = np.concatenate([above * weight, np.zeros(len(stiff))])
    found = np.linalg.lstsq(a, b, rcond=None)[0]
    curvature = np.zeros((dim, dim))
    curvature[pairs] = found[dim + 2 :]
    curvature = curvature + curvature.T + found[dim + 1] * np.eye(dim)
    if np.linalg.eigvalsh(curvature)[0] <= 1e-6 * abs(np.trace(curvature)):
        return None
    step = -np.linalg.solve(curvature, found[1 : dim + 1])
    return np.asarray(step * min(1.0, REACH / (np.linalg.norm(step) + 1e-300)))


def bottoms(known: Known, of: NDArray[np.int64], widths: Floats) -> Floats:
    """The minima, shape (at most n, d), of quadratic forms around the points at the positions `of`, shape (n,)."""
    rows = np.flatnonzero(np.isfinite(known.slope))
    u, energy = known.u[rows], known.slope[rows]
    if not len(of):
        return np.empty((0, u.shape[1]))
    near = np.asarray(cKDTree(u).query(known.u[of], k=min(4 * u.shape[1] + 2, len(rows)))[1]).reshape(len(of), -1)
    found = []
    for row, beside_it, width in zip(of.tolist(), near, widths.tolist(), strict=True):
        step = minimum((u[beside_it] - known.u[row]) / width, energy[beside_it])
        if step is not None:
            found.append(np.clip(known.u[row] + width * step, 0.0, 1.0))
    return np.array(found).reshape(-1, u.shape[1])


def follow(context: Context, n: int) -> Floats:
    """A part: in each basin that is not known to its bottom, and in which no point is out, the minimum of the quadratic
    form and a step in each of d directions that are orthogonal."""
    known, rng, dim = context.known, context.generator("basin"), context.dim
    if context.surrogate.by_observables or dim > MOST_DIM:  # processes see basins: probes are enough
        return np.empty((0, dim))
    n = min(n, round(share(known) * context.n))
    of, widths = lowest(known)
    open_ = ~known.good[of]
    if len(context.pending):
        open_ &= np.asarray(cKDTree(context.pending).query(known.u[of])[0]) > widths
    count = -(-n // (dim + 1))
    of, widths = of[open_][:count], widths[open_][:count]
    frames = np.linalg.qr(rng.standard_normal((len(of), dim, dim)))[0]
    steps = known.u[of][:, None, :] + SIDE * widths[:, None, None] * frames
    found = np.concatenate([bottoms(known, of, widths), np.clip(steps, 0.0, 1.0).reshape(-1, dim)])
    return context.snap(found)[:n]


BASINS = Part("basin", follow)
