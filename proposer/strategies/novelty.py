"""Measures how new points are compared with known ones: a histogram-based outlier score (M. Goldstein, A. Dengel,
KI-2012, p. 59).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from proposer.types import Floats

EMPTY = 0.1
"""Added to the height of each bin, so that an empty bin has a finite score."""


def novelty(known: Floats, points: Floats, bins: int) -> Floats:
    """The novelty of points, shape (n,): 0 where most known points are, 1 for points at least as isolated as the most
    isolated known one.

    `known`: shape (m, d), `points`: shape (n, d), finite. Each column has a histogram of the known points, with `bins`
    bins of one width, scaled to a largest height of 1, so that every column counts alike whatever its unit; the score
    of a point is the sum of the logarithms of the inverse heights.
    """
    of_known, of_points = np.zeros(len(known)), np.zeros(len(points))
    for column in range(known.shape[1]):
        low, high = known[:, column].min(), known[:, column].max()
        with np.errstate(over="ignore"):
            span = high - low
        if not np.isfinite(span):
            continue
        width = span / bins if span > 0 else max(abs(low), 1.0) * 1e-9
        if width == 0.0:
            continue
        counts = np.bincount(_bins(known[:, column], low, width, bins), minlength=bins + 2)
        counts[[0, -1]] = 0  # below and above all known points
        score = -np.log2(counts / counts.max() + EMPTY)
        of_known += score[_bins(known[:, column], low, width, bins)]
        of_points += score[_bins(points[:, column], low, width, bins)]
    low, high = of_known.min(), of_known.max()
    if high == low:
        beyond: Floats = (of_points > high).astype(float)
        return beyond
    scaled: Floats = np.clip((of_points - low) / (high - low), 0.0, 1.0)
    return scaled


def _bins(values: Floats, low: float, width: float, bins: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The bin of each value, 1 to `bins`; 0 below the first, `bins` + 1 above the last."""
    scaled = np.clip((values - low) / width, -1.0, bins + 1.0)
    inside = (values >= low) & (scaled <= bins * (1 + 1e-12))
    at = np.minimum(np.floor(scaled).astype(np.int64), bins - 1) + 1
    return np.where(inside, at, np.where(values < low, 0, bins + 1))
