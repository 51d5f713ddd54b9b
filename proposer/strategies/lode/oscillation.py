"""Models an NLL whose root is a sum of few plane waves and a smooth rest.

With the NLL alone, the observables behind it are unknown. But if there is one that oscillates, the root of the NLL is
its distance from the target, and if the target is the largest value that it reaches, this distance has the same waves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.waves import find
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

GAMMA, BETTER = -0.5, 0.5
"""The weight of a point is proportional to (1 + energy)^GAMMA, and the model is used if its error is less than BETTER
times that of a constant, as with sums of squares (`squares.py`).
"""


class Oscillation:
    """A regression of energies over [-1, 1]^d."""

    def __init__(self) -> None:
        self._process: Processes | None = None
        self._middle, self._width = 0.0, 1.0
        self.error = np.inf
        """The error of log(1 + energy) if each point is predicted from all others; infinite if this is no better than a
        constant, or before the first fit.
        """

    def learn(self, x: Floats, energy: Floats, rng: np.random.Generator, *, again: bool) -> None:
        """Learns energies, shape (n,), at x, shape (n, d). The waves are looked for anew if `again` is true."""
        root = np.sqrt(energy.clip(min=0.0))
        if again:
            self._middle, self._width = float(root.mean()), float(root.std()) + 1e-9
            t = (root - self._middle) / self._width
            waves = find(x, t)
            self._process = None if waves is None else Processes.with_waves(waves, x, t[:, None], rng)
        self.error = np.inf
        if self._process is None:
            return
        self._process.condition(x, ((root - self._middle) / self._width)[:, None])
        predicted = root - self._width * self._process.left_out(0)
        log_energy, weight = np.log1p(energy), (1.0 + energy.clip(min=0.0)) ** GAMMA
        error = np.average((np.log1p(predicted**2) - log_energy) ** 2, weights=weight)
        if error < BETTER * np.average((log_energy - np.average(log_energy, weights=weight)) ** 2, weights=weight):
            self.error = float(np.sqrt(error))

    def energy(self, z: Tensor) -> Tensor:
        """The energy, shape (n,), at z (n, d)."""
        assert self._process is not None
        return (self._middle + self._width * self._process.mean(z.double())[:, 0]).square()

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `from_arrays`, without the data."""
        scale = {"scale": np.array([self._middle, self._width])}
        return scale if self._process is None else scale | self._process.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Oscillation:
        """Restores the state from the arrays of `to_arrays`; it predicts after the next fit. Raises KeyError and
        ValueError.
        """
        made = cls()
        made._middle, made._width = arrays["scale"].tolist()
        if "scales" in arrays:
            made._process = Processes.from_arrays(arrays)
        return made
