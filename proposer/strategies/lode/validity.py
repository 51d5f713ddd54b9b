"""A Gaussian process that learns which points are INVALID for a reason other than their observables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.train import training_rows
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known

COST = 4.0
"""The energy increases by this for each unit by which the prediction is below 0."""
SOFTEST = 0.05
"""This is added to the standard deviation of the prediction, which is 0 at known points."""


class Validity:
    """A Gaussian process of +1 for valid and -1 for invalid points. It has no effect while all points are valid.

    `inputs` maps u, shape (n, d), to the inputs of the process, shape (n, dim), about [-1, 1].
    """

    def __init__(self, dim: int, inputs: Callable[[Floats], Floats]) -> None:
        self._dim, self._inputs = dim, inputs
        self._process: Processes | None = None
        self._judges = False

    def fit(
        self,
        known: Known,
        valid: NDArray[np.bool_],
        invalid: NDArray[np.bool_],
        rng: np.random.Generator,
        *,
        most: int,
        again: bool,
    ) -> None:
        """Learns from at most `most` of the points that are `valid` or `invalid`, shape (n,) each. The length scales
        are learned again if `again` is true.
        """
        self._judges = bool(invalid.any())
        if not self._judges:
            return
        judged = np.flatnonzero(valid | invalid)
        rows = judged[training_rows(known.u[judged], known.energy[judged], most, rng)]
        x, t = self._inputs(known.u[rows]), np.where(valid[rows], 1.0, -1.0)[:, None]
        if self._process is None:
            self._process = Processes(self._dim, 1)
        if again or not self._process.learned:
            self._process.learn(x, t, rng)
        self._process.condition(x, t)

    def raise_energy(self, energy: Tensor, z: Tensor) -> Tensor:
        """The energy, shape (n,), increased at inputs z, shape (n, dim), that are predicted to be invalid."""
        if self._judges and self._process is not None:
            energy = energy + COST * (-self._process.mean(z)[:, 0]).clamp(min=0.0)
        return energy

    def probability(self, z: Tensor) -> Tensor:
        """The probability of being valid, shape (n,), at the inputs z, shape (n, dim)."""
        if not self._judges or self._process is None:
            return torch.ones(len(z), dtype=torch.float64)
        mean, deviation = self._process.predict(z)
        probability: Tensor = torch.special.ndtr(mean / (deviation + SOFTEST))[:, 0]
        return probability

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`, with the names validity/KEY."""
        if self._process is None:
            return {}
        return {f"validity/{key}": value for key, value in self._process.to_arrays().items()}

    def load(self, arrays: Mapping[str, NDArray[np.float64]] | None) -> None:
        """Restores the state from the arrays of `to_arrays`, without their prefix. Raises KeyError and ValueError."""
        self._process = Processes.from_arrays(arrays) if arrays else None
