"""Finds a better scale for observables that span decades and that a process predicts badly.

The square of an amplitude that changes its sign spans decades, and at first its logarithm is learned, as that of a
relic density, which follows power laws. But the square is smooth where it vanishes, and its logarithm is not, and a
limit selects just these points. The amplitude itself, a root with a sign (`roots.py`), is even smoother.

The scale of values of either sign (`either.py`) must be chosen before any point is close to the target, so the marginal
likelihood of all values decides. Here enough points are close, so the predictions of the agreement with it decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.misses import miss
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.roots import corrected, signs
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.energy import EnergyOfObservables

BETTER = 0.7
"""The mean square error with another scale must be below BETTER times that with the present one, and below BETTER times
that of a constant. Otherwise, a process that cannot resolve its target would win by the prediction that no value agrees
with it.
"""

ENOUGH, GROWN = 100, 1.5
"""Scales are compared from ENOUGH points on, and again when there are GROWN times more points. With GROWN = 2, the
signed root of a rate of seven variables came after 200 points, and 62 points were good after 300 evaluations. With
GROWN = 1.25, it came after 130, and 101 were good, but a comparison takes up to two seconds.
"""


class Scales:
    """Compares the scales of poor outputs from time to time. The first `dim` inputs are the variables."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.compared_from = 0
        """The number of points at the last comparison."""

    def better(
        self,
        coding: Coding,
        values: Processes,
        x: Floats,
        y: Floats,
        t: Floats,
        *,
        poor: NDArray[np.bool_],
        count: int,
        energy: EnergyOfObservables,
        rng: np.random.Generator,
    ) -> Coding:
        """The transformation without a logarithm, or with a root, of those of the `poor` outputs, shape (k,), that are
        then predicted better; `coding` itself if there are none, or if `count` points are too few for a comparison. The
        processes `values` take over the length scales of these outputs.

        `values` are conditioned on inputs x, shape (n, m), the variables before the distances from planes, and on the
        targets t of observables y, shape (n, k) each. Each point is predicted from all others.
        """
        poor = poor & (Coding.of(y).floor > 0)
        if count < max(ENOUGH, GROWN * self.compared_from) or not poor.any():
            return coding
        self.compared_from = count
        best = coding
        for j in np.flatnonzero(poor).tolist():
            of_constant = float(energy.agreement(y)[:, j].var())
            lowest = BETTER * min(_error(coding, t[:, j] - values.left_out(j), j, y, energy), of_constant)
            for other in _others(best, j, y):
                process, own = self._learned(other, j, x, y, rng)
                error = _error(other, own - process.left_out(0), j, y, energy)
                if error < lowest:
                    best, lowest = other, error
                    values.take(j, process)
        return best

    def targets(self, coding: Coding, values: Processes, x: Floats, y: Floats, rng: np.random.Generator) -> Floats:
        """The targets, shape (n, k), of the processes `values`, with the signs of roots. `x`, `y` as in `better`."""
        t = coding.encode(y)
        for j in np.flatnonzero(coding.root).tolist():
            t[:, j] *= corrected(signs(x[:, : self.dim], t[:, j], rng), x, t[:, j], values.only(j))
        return t

    def _learned(
        self, coding: Coding, j: int, x: Floats, y: Floats, rng: np.random.Generator
    ) -> tuple[Processes, Floats]:
        """A process that has learned output j, and its targets, shape (n,)."""
        process, t = Processes(x.shape[1], 1), coding.encode(y)[:, j]
        if coding.root[j]:  # length scales from signs that are mostly right, which then correct the signs
            of_polynomial = signs(x[:, : self.dim], t, rng)
            process.learn(x, (of_polynomial * t)[:, None], rng)
            t = t * corrected(of_polynomial, x, t, process)
        process.learn(x, t[:, None], rng)
        process.condition(x, t[:, None])
        return process, t


def _others(coding: Coding, j: int, y: Floats) -> list[Coding]:
    """The other scales of output j."""
    found = [coding.without_logarithm(j, y)] if coding.floor[j] + coding.root[j] > 0 else []
    if not coding.root[j] and (y[:, j] >= 0).all():
        found.append(coding.as_root(j, y))
    return found


def _error(coding: Coding, predicted: Floats, j: int, y: Floats, energy: EnergyOfObservables) -> float:
    """The mean square error of output j, if its targets are predicted as `predicted`, shape (n,)."""
    return float(np.square(miss(energy, coding, coding.replaced(j, predicted, y), y)[:, j]).mean())
