"""The losses of observables that are a likelihood themselves, such as a χ² of HiggsTools: beside others that are
regressed, their sum is learned as an NLL is.

Such a loss has the narrow valley of an NLL, which no Gaussian process likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.residuals import Residuals
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.energy import EnergyOfNll
    from proposer.strategies.lode.points import Known

SHARE = 0.6
"""Of the steps of networks that learn a whole NLL: an ask has the observables to learn too, and took 14 % more CPU."""
ENOUGH = 10
"""Points to learn from."""


class Rest:
    """Predicts the sum of those losses, which are learned from 0 on, or from the least one where that is negative.

    Where the target follows the best NLL, they are learned from half a unit below the least one. `of_nll`: has the unit
    of energy. `inputs`: from u, shape (n, d), to what the networks see.
    """

    def __init__(self, dim: int, of_nll: EnergyOfNll, inputs: Callable[[Floats], Floats]) -> None:
        self._of_nll, self._inputs = of_nll, inputs
        self._residuals = Residuals(dim, SHARE)
        self._least = 0.0

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        """Learns from all points that have an NLL, where these are ENOUGH; before, the losses are taken for 0."""
        usable = np.flatnonzero(known.ok & np.isfinite(known.rest))
        if len(usable) < ENOUGH:
            return
        least = float(known.rest[usable].min())
        self._least = least - 0.5 * self._of_nll.unit if self._of_nll.soft else min(0.0, least)
        energy = (known.rest - self._least) / self._of_nll.unit
        self._residuals.fit(known.u, self._inputs(known.u), energy, usable, rng)

    def __call__(self, z: Tensor) -> Tensor:
        """Losses, shape (n,), at inputs z, shape (n, d)."""
        if self._residuals.nets is None:
            return torch.zeros(len(z), dtype=torch.float64)
        return self._least + self._of_nll.unit * self._residuals(z)

    def draws(self, z: Tensor, normal: Tensor, wider: float) -> Tensor:
        """Losses, shape (draws, n), of what the networks leave open. `normal`: standard normal numbers of that shape;
        `wider`: a factor of how unsure they are."""
        if self._residuals.nets is None:
            return torch.zeros_like(normal)
        middle, width = self._residuals.spread(z)
        return self._least + self._of_nll.unit * torch.expm1((middle + wider * width * normal).clamp(0.0, 100.0))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """What `load` needs."""
        return self._residuals.to_arrays() | {"least": np.array(self._least)}

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """The opposite of `to_arrays`; raises KeyError and ValueError."""
        self._residuals.load(arrays)
        self._least = float(arrays["least"])
