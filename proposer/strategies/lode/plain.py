"""Finds observables that a process predicts better without a logarithm, although they span decades.

The square of an amplitude that changes its sign also spans decades. It is smooth where it vanishes, but its logarithm
is not, and a limit selects just these points. A relic density, in contrast, follows power laws.

The scale of values of either sign (`either.py`) must be chosen before any point is close to the target, so the marginal
likelihood of all values decides. Here enough points are close, so the predictions of the agreement with it decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.misses import miss
from proposer.strategies.lode.process import Processes
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.energy import EnergyOfObservables

BETTER = 0.7
"""The mean square error without a logarithm must be below BETTER times that with it, and below BETTER times that of a
constant. Otherwise, a process that cannot resolve its target would win by the prediction that no value agrees with it.
"""

ENOUGH, GROWN = 100, 2.0
"""Logarithms are compared with none from ENOUGH points on, and again when there are GROWN times more points."""


class Logarithms:
    """Compares logarithms with none from time to time."""

    def __init__(self) -> None:
        self.compared_from = 0
        """The number of points at the last comparison."""

    def left_out(
        self,
        coding: Coding,
        values: Processes,
        x: Floats,
        y: Floats,
        *,
        poor: NDArray[np.bool_],
        count: int,
        energy: EnergyOfObservables,
        rng: np.random.Generator,
    ) -> Coding:
        """The transformation without the logarithms of those of the `poor` outputs, shape (k,), that are then predicted
        better; `coding` itself if there are none, or if `count` points are too few for a comparison. The processes
        `values` take over the length scales of these outputs.

        `values` are conditioned on inputs x, shape (n, d), and observables y, shape (n, k). Each point is predicted
        from all others.
        """
        poor = poor & (coding.floor > 0)
        if count < max(ENOUGH, GROWN * self.compared_from) or not poor.any():
            return coding
        self.compared_from = count
        for j in np.flatnonzero(poor).tolist():
            plain = coding.without_logarithm(j, y)
            process, t = Processes(x.shape[1], 1), plain.encode(y)[:, j : j + 1]
            process.learn(x, t, rng)
            process.condition(x, t)
            worst = min(_error(coding, values.left_out(j), j, y, energy), float(energy.agreement(y)[:, j].var()))
            if _error(plain, process.left_out(0), j, y, energy) < BETTER * worst:
                coding = plain
                values.take(j, process)
        return coding


def _error(coding: Coding, off: Floats, j: int, y: Floats, energy: EnergyOfObservables) -> float:
    """The mean square error of output j, if its targets are predicted with the errors `off`, shape (n,)."""
    t, predicted = coding.encode(y), y.copy()
    t[:, j] -= off
    predicted[:, j] = coding.decode(torch.from_numpy(t)).numpy()[:, j]
    return float(np.square(miss(energy, coding, predicted, y)[:, j]).mean())
