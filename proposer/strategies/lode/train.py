"""Chooses points for a regression if there are too many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proposer.strategies.lode.leaves import Leaves
from proposer.types import Floats


def training_rows(u: Floats, energy: Floats, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The positions of at most `most` of n points u, shape (n, d), with the energies `energy`, shape (n,), in ascending
    order.

    Half of them have an energy below 4, and are spread evenly. The others are drawn with the weight (1 +
    energy)^(-1/2), so that they lie everywhere. A point without an energy (NaN or infinite) has the weight 0.1, that of
    an energy of 99.
    """
    n = len(u)
    if n <= most:
        return np.arange(n)
    close, far = np.flatnonzero(energy < 4.0), np.flatnonzero(~(energy < 4.0))
    n_far = min(len(far), max(most // 2, most - len(close)))
    if n_far < len(far):
        known = np.isfinite(energy[far])
        weight = np.full(len(far), 0.1)
        weight[known] = (1.0 + energy[far][known]) ** -0.5
        far = rng.choice(far, size=n_far, replace=False, p=weight / weight.sum())
    if most - n_far < len(close):
        close = close[even_rows(u[close], most - n_far, rng)]
    return np.sort(np.concatenate([close, far]))


def even_rows(u: Floats, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The positions of `most` points of u, shape (n, d), spread evenly by leaves of equal size in the box, so that a
    crowded part counts no more than a thin part of the same size.
    """
    leaves = Leaves.halving(u, most)
    of = leaves.of(u)
    order = rng.permutation(len(u))
    rank = np.empty(len(u), dtype=np.int64)
    by_leaf = order[np.argsort(of[order], kind="stable")]
    starts = np.searchsorted(of[by_leaf], of[by_leaf], side="left")
    rank[by_leaf] = np.arange(len(u)) - starts
    return np.sort(order[np.argsort(rank[order], kind="stable")][:most])
