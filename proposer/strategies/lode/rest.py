"""The losses of observables that are a likelihood themselves, such as a χ² of HiggsTools. Their sum is learned like an
NLL, while other observables are regressed.

Such a loss has the narrow valley of an NLL, which a Gaussian process can hardly learn.
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
"""The fraction of the training steps for a whole NLL. It is smaller because the observables are learned, too. Even so,
an ask took 14 % more CPU.
"""
ENOUGH = 10
"""The smallest number of points for a training."""


class Rest:
    """Predicts the sum of these losses.

    Networks learn the difference between this sum and an origin. The origin is 0, or the smallest sum if that is
    negative. If the target follows the best NLL, or the NLL contains a large constant, it is half a unit of energy
    below the smallest sum. `of_nll` has this unit. `inputs` maps u, shape (n, d), to the inputs of the networks.
    """

    def __init__(self, dim: int, of_nll: EnergyOfNll, inputs: Callable[[Floats], Floats]) -> None:
        self._of_nll, self._inputs = of_nll, inputs
        self._residuals = Residuals(dim, SHARE)
        self._least = 0.0

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        """Learns from all points with an NLL if these are at least ENOUGH. Before that, the losses are
        assumed to be 0.

        A good point without observables, such as a row of an InitCSV, has at most its NLL as losses. Without it, the
        model would not know how low they can be, and no point would seem good before others have come close.
        """
        rest = np.where(known.good & np.isnan(known.rest), known.nll, known.rest)
        usable = np.flatnonzero(known.ok & np.isfinite(rest))
        if len(usable) < ENOUGH:
            return
        least = float(rest[usable].min())
        self._least = least - 0.5 * self._of_nll.unit if self._of_nll.soft else min(0.0, least)
        energy = (rest - self._least) / self._of_nll.unit
        self._residuals.fit(known.u, self._inputs(known.u), energy, usable, rng)

    def __call__(self, z: Tensor) -> Tensor:
        """The predicted losses, shape (n,), at inputs z, shape (n, d)."""
        if self._residuals.nets is None:
            return torch.zeros(len(z), dtype=torch.float64)
        return self._least + self._of_nll.unit * self._residuals(z)

    def draws(self, z: Tensor, normal: Tensor, wider: float) -> Tensor:
        """Draws of the losses, shape (draws, n), from the uncertainty of the networks. `normal` are standard normal
        numbers of this shape; `wider` multiplies the uncertainty.
        """
        if self._residuals.nets is None:
            return torch.zeros_like(normal)
        middle, width = self._residuals.spread(z, wider)
        return self._least + self._of_nll.unit * torch.expm1((middle + width * normal).clamp(0.0, 100.0))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`."""
        return self._residuals.to_arrays() | {"least": np.array(self._least)}

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        self._residuals.load(arrays)
        self._least = float(arrays["least"])
