"""Which points to learn from when there are more than the regression can take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proposer.strategies.base import Floats
from proposer.strategies.lode_leaves import Leaves


def training_rows(u: Floats, energy: Floats, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of at most `most` of n points, in order; all of them while there are no more.

    Half of the places for points with an energy below 4, spread evenly over where they
    lie; the rest by weight (1 + energy)^(-1/2), which still reaches everywhere. Points
    without an energy (NaN or infinite) have the weight of a typical one.
    """
    n = len(u)
    if n <= most:
        return np.arange(n)
    close = np.flatnonzero(energy < 4.0)
    if len(close) > most // 2:
        close = close[even_rows(u[close], most // 2, rng)]
    rest = np.setdiff1d(np.arange(n), close)
    known = np.isfinite(energy[rest])
    weight = np.full(len(rest), 0.1)
    weight[known] = (1.0 + np.maximum(energy[rest][known], 0.0)) ** -0.5
    others = rng.choice(rest, size=min(len(rest), most - len(close)), replace=False, p=weight / weight.sum())
    return np.sort(np.concatenate([close, others]))


def even_rows(u: Floats, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of `most` points of u, shape (n, d), that are as evenly spread as leaves of equal size in the box
    can make them: a crowded place counts no more than a thin one of its size."""
    leaves = Leaves.halving(u, most)
    of = leaves.of(u)
    order = rng.permutation(len(u))
    rank = np.empty(len(u), dtype=np.int64)
    by_leaf = order[np.argsort(of[order], kind="stable")]
    starts = np.searchsorted(of[by_leaf], of[by_leaf], side="left")
    rank[by_leaf] = np.arange(len(u)) - starts
    return np.sort(order[np.argsort(rank[order], kind="stable")][:most])
