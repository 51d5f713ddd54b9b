"""How far predictions of observables miss the results, as far as it matters for the likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.coding import Coding
    from proposer.strategies.lode.energy import EnergyOfObservables


def miss(energy: EnergyOfObservables, coding: Coding, predicted: Floats, values: Floats) -> Floats:
    """Errors, shape (n, k), of the agreement of predicted observables with their targets, compared with the results
    `values`; shape (n, k) each.

    Far from its target, an observable makes a point bad whatever its exact value is, so errors there do not count. An
    observable that only makes the map even has no target. Its error is relative to the width of its scale.
    """
    found = energy.agreement(predicted, values) - energy.agreement(values)
    if len(energy.deciding) < values.shape[1]:
        off = (coding.transformed(predicted) - coding.transformed(values)) / coding.width
        free = np.delete(np.arange(values.shape[1]), energy.deciding)
        found[:, free] = off[:, free].clip(-1.0, 1.0)
    return np.where(np.isnan(predicted), np.nan, found)


def error_of(energy: EnergyOfObservables, coding: Coding, predicted: Floats, t: Floats) -> Floats:
    """The root mean square error, shape (k,), at the resolution of the likelihoods, of predicted targets compared
    with t, shape (n, k) each.
    """
    middle, unit = energy.resolution(coding.spread)
    off = [np.arcsinh((coding.decode(torch.from_numpy(part)).numpy() - middle) / unit) for part in (predicted, t)]
    return np.asarray(np.sqrt(np.square(off[0] - off[1]).mean(axis=0)))
