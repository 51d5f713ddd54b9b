"""Finds values that do not come from physics: constants, or a far cluster, that a code writes in place of values that
it did not compute.

For example, -999 for a missing mass must not set the scale on which masses are learned, and no model may interpolate
125 between -999 and 126. So if such a value alone makes a point bad, the point counts as one without a value, as if the
code had given NaN. A value that does not make a point bad by itself stays: for an upper limit, the 0 of a closed
channel is physics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.energy import EnergyOfObservables

Mask = NDArray[np.bool_]

LEAST = 5
"""The smallest number of points with the same value for a constant."""
STANDS_OUT = 5.0
"""A constant has at least this many times more points than its neighbouring values have, because numbers with few
digits, and whole numbers, also repeat.
"""
BESIDE = 6
"""The number of neighbouring values on each side for this comparison."""
OTHERS = 4
"""The smallest number of points with other values."""
FAR = 3.0
"""A cluster is far if its gap is this many times the span of the values without the gap."""


def repeated(values: Floats) -> Mask:
    """Whether a value is a constant among values that hardly repeat, shape (n,)."""
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
    """Whether a value is in a far cluster, shape (n,): beyond a gap that is much wider than the span of the values on
    both sides. The side with the lowest `loss`, shape (n,), is never far.
    """
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
    """Whether a value is a constant or in a far cluster, shape (n, k). `values` and their `losses`, shape (n, k) each,
    are finite. `rising` says which columns, shape (k,), have a monotonic loss. In these, the lowest loss does not show
    which side of a gap is physics, so far clusters are not looked for.
    """
    found = np.zeros(values.shape, dtype=np.bool_)
    for column, rises in enumerate(rising.tolist()):
        constant = repeated(values[:, column])
        found[:, column] = constant
        if not rises:
            found[~constant, column] = far_away(values[~constant, column], losses[~constant, column])
    return found


def made_bad(found: Mask, losses: Floats, outside: Mask, threshold: float) -> Mask:
    """Whether a point is bad by the values `found` alone, shape (n,): they are outside their windows, or their losses
    exceed the threshold, however good the other values may become. `found`, `losses`, and `outside`: shape (n, k).
    """
    best_others = np.minimum(losses.min(axis=0, initial=0.0), 0.0)
    loss = np.where(found, losses, best_others).sum(axis=1)
    bad: Mask = found.any(axis=1) & ((found & outside).any(axis=1) | (loss > threshold))
    return bad


def alone(found: Mask, values: Floats) -> Mask:
    """Which of the values `found`, shape (n, k), are farther from the other values of their column than these span.
    These must not set the scale.
    """
    kept = found.copy()
    for column in np.flatnonzero(found.any(axis=0)).tolist():
        others = values[~found[:, column], column]
        low, high = others.min(initial=np.inf), others.max(initial=-np.inf)
        reach = high - low
        near = (values[:, column] >= low - reach) & (values[:, column] <= high + reach)
        kept[:, column] &= ~near
    return kept


def without_physics(
    energy: EnergyOfObservables, y: Floats, usable: NDArray[np.int64], least: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
    """Of the rows `usable` of observables y, shape (n, k), those that are physics and those made bad by a value that is
    not (none if fewer than `least` rows would be left), and which values of the former are not physics, shape (m, k).
    """
    values = torch.from_numpy(y[usable])
    losses = energy.losses(values).numpy()
    found = no_physics(y[usable], losses, energy.one_sided)
    bad = np.zeros(len(usable), dtype=np.bool_)
    if found.any():
        bad = made_bad(found, losses, energy.outside(values).numpy(), energy.of_nll.threshold)
        bad &= len(usable) - bad.sum() >= least
    return usable[~bad], usable[bad], found[~bad]
