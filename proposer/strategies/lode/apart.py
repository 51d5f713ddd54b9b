"""Which values do not come from physics: a constant, or a cluster far away, in place of what a code did not compute.

-999 where there is no spectrum must not set the scale on which masses are learned, and between -999 and 126 no model
may find 125. So a point that such a value alone makes bad is one without a value, as if the code had given NaN. A value
that need not make a point bad stays: 0 of a closed channel is as good as physics for a limit from above.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats

Mask = NDArray[np.bool_]

LEAST = 5
"""So many points must have a constant."""
STANDS_OUT = 5.0
"""And so many times as many as have each of the values next to it: numbers that are printed with few digits, and whole
numbers, repeat too."""
BESIDE = 6
"""Values on either side that are looked at for that."""
OTHERS = 4
"""Points that must be left beside them."""
FAR = 3.0
"""A cluster is far where the gap is so many times what the values reach over without it."""


def repeated(values: Floats) -> Mask:
    """Which of the values, shape (n,), are constants among others that hardly repeat."""
    distinct, of, counts = np.unique(values, return_inverse=True, return_counts=True)
    if not (counts >= LEAST).any():
        return np.zeros(len(values), dtype=np.bool_)
    usual = np.array(
        [
            np.median(np.delete(counts[max(0, at - BESIDE) : at + BESIDE + 1], min(at, BESIDE)))
            if len(counts) > 1 and counts[at] >= LEAST
            else np.inf
            for at in range(len(distinct))
        ]
    )
    constant = (counts >= LEAST) & (counts >= STANDS_OUT * usual)
    found: Mask = constant[of]
    return found if (~found).sum() >= OTHERS else np.zeros(len(values), dtype=np.bool_)


def far_away(values: Floats, loss: Floats) -> Mask:
    """Which of the values, shape (n,), are beyond a gap that is much wider than what they reach over on either side;
    the side with the least loss, shape (n,), is not."""
    none = np.zeros(len(values), dtype=np.bool_)
    if len(values) <= 2 * LEAST:
        return none
    ordered = np.sort(values)
    with np.errstate(over="ignore"):
        reach = ordered[-1] - ordered[0]
        gaps = np.diff(ordered)[LEAST - 1 : len(values) - LEAST]
    at = int(np.argmax(gaps))
    if not gaps[at] > FAR * (reach - gaps[at]):
        return none
    above: Mask = values > ordered[at + LEAST - 1]
    far = ~above if above[np.argmin(loss)] else above
    return far if (~far).sum() >= OTHERS else none


def no_physics(values: Floats, losses: Floats, rising: NDArray[np.bool_]) -> Mask:
    """Which values, shape (n, k), all finite, are constants or far away; `losses`: of each, shape (n, k). `rising`:
    columns, shape (k,), whose loss rises or falls everywhere, so that it does not say which side is physics."""
    found = np.zeros(values.shape, dtype=np.bool_)
    for column, rises in enumerate(rising.tolist()):
        constant = repeated(values[:, column])
        found[:, column] = constant
        if not rises:
            found[~constant, column] = far_away(values[~constant, column], losses[~constant, column])
    return found


def made_bad(found: Mask, losses: Floats, outside: Mask, threshold: float) -> Mask:
    """Which points, shape (n,), are bad by those values alone: outside a window (n, k), or by their losses (n, k),
    however good the others may become."""
    best_others = np.minimum(losses.min(axis=0, initial=0.0), 0.0)
    loss = np.where(found, losses, best_others).sum(axis=1)
    bad: Mask = found.any(axis=1) & ((found & outside).any(axis=1) | (loss > threshold))
    return bad


def alone(found: Mask, values: Floats) -> Mask:
    """Those of the values, shape (n, k), that also lie far from all others: they say nothing about the scale."""
    kept = found.copy()
    for column in np.flatnonzero(found.any(axis=0)).tolist():
        others = values[~found[:, column], column]
        low, high = others.min(initial=np.inf), others.max(initial=-np.inf)
        reach = high - low
        near = (values[:, column] >= low - reach) & (values[:, column] <= high + reach)
        kept[:, column] &= ~near
    return kept
