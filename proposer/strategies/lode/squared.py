"""Chooses whether an observable is learned as its square.

A mass is the root of an eigenvalue of a matrix, and near a threshold a rate is the root of an energy. Where they
vanish, the slope of a root is infinite, so a process predicts small values badly, but their squares well. Codes give a
tachyon the root of |m^2| as a negative mass, so the square keeps the sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.either import FROM, evidence
from proposer.strategies.lode.misses import error_of
from proposer.strategies.lode.process import Processes
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.energy import EnergyOfObservables

WORTH = 12.0
"""The square must raise the logarithm of the marginal likelihood by WORTH, as planes and waves must."""
RESOLVED, OUTPUTS = 0.03, 3
"""The square is tried if the error on the present scale is above RESOLVED sigmas, for at most OUTPUTS at a time, as
each takes a tenth of a second. A larger error is no condition: a process of the root is right where the first points
are.
"""

_LEAST, _MOST = 1e-140, 1e140  # of the values, whose squares must be numbers, and not 0


def with_squares(
    coding: Coding, values: Processes, x: Floats, y: Floats, *, which: NDArray[np.bool_], energy: EnergyOfObservables
) -> Coding | None:
    """The transformation with the squares of those outputs `which`, shape (k,), of observables y, shape (n, k), at
    inputs x, shape (n, d), for which squares are better; None if there are none. The processes `values`, which have
    learned with `coding`, take over the length scales of the squares.
    """
    rows, before = np.unique(np.linspace(0, len(x) - 1, FROM).astype(int)), coding
    x, y = x[rows], y[rows]
    size = np.abs(y)
    which = which & (coding.floor + coding.root + coding.square == 0.0)
    which &= (size.min(axis=0) > _LEAST) & (size.max(axis=0) < _MOST)
    which[list(values.waves)] = False
    if not which.any():
        return None
    t = coding.encode(y)
    present = values.thinned(x, t)
    off = np.stack([present.left_out(j) for j in range(values.outputs)], axis=1)
    error = np.where(which, error_of(energy, coding, t - off, t), 0.0)
    for j in np.argsort(-error, kind="stable")[:OUTPUTS].tolist():
        if error[j] <= RESOLVED:
            break
        other, process = coding.as_square(j, y), Processes(x.shape[1], 1)
        if evidence(process, other, j, x, y) > evidence(present.only(j), coding, j, x, y) + WORTH:
            values.take(j, process)
            coding = other
    return None if coding is before else coding
