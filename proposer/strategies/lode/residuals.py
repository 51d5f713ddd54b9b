"""Networks of hidden residuals (`nets.py`) for an NLL, or for the part of an NLL that no model of observables covers.
The errors of their predictions for the newest points are part of their uncertainty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.nets import MEMBERS, Nets
from proposer.strategies.lode.surrogate import grouped
from proposer.strategies.lode.train import training_rows
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

MOST_POINTS = 4000
"""The largest number of points from which the networks learn."""
FARTHEST = 1e6
"""Higher energies are learned as this energy."""
ERROR, LEAST_ERROR, MOST_ERROR = 0.5, 0.05, 1.0
"""The error of log(1 + energy) before the first prediction, and the bounds for the error of predictions."""
JUDGED_BELOW, LEAST_JUDGED = 2.0, 10
"""The error is that of predictions below this energy, if there are at least this many."""


class Residuals:
    """Networks that predict log(1 + energy), trained with the fraction `share` of the usual steps. `error` is the error
    of the last predictions of log(1 + energy).
    """

    def __init__(self, dim: int, share: float = 1.0) -> None:
        self.dim, self._share = dim, share
        self.nets: Nets | None = None
        self.error = ERROR
        self._seen = 0
        # the present network; sampling with one at a time also reaches regions that only one network predicts
        self._turn = 0

    def fit(
        self,
        u: Floats,
        z: Floats,
        energy: Floats,
        usable: NDArray[np.int64],
        rng: np.random.Generator,
        *,
        now: Callable[[Floats], Floats] | None = None,
        few: bool = False,
    ) -> None:
        """Learns from the points at the positions `usable` among the n known points.

        `u` and `z`, shape (n, d) each, are the points in the unit cube and as inputs; `energy` has shape (n,). `now`
        converts energies from the last training to present energies. `few`: with fewer steps.
        """
        random = torch.Generator().manual_seed(int(rng.integers(2**63)))
        if self.nets is None:
            self.nets = Nets(self.dim)
        else:
            new = usable[usable >= self._seen]
            predicted = self.nets.log_energy(torch.from_numpy(z[new])).mean(dim=0).numpy()
            if now is not None:
                predicted = np.log1p(now(np.expm1(predicted)))
            off = (predicted - np.log1p(energy[new]))[predicted < np.log1p(JUDGED_BELOW)]
            if len(off) >= LEAST_JUDGED:
                self.error = float(np.clip(np.sqrt((off**2).mean()), LEAST_ERROR, MOST_ERROR))
        self._seen, self._turn = len(u), int(rng.integers(MEMBERS))
        rows = usable[training_rows(u[usable], energy[usable], MOST_POINTS, rng)]
        self.nets.learn(z[rows], energy[rows].clip(max=FARTHEST), random, self._share, few=few)

    @torch.no_grad()
    def __call__(self, z: Tensor) -> Tensor:
        """The energies of one network, shape (n,), at z of shape (n, d)."""
        assert self.nets is not None
        return torch.expm1(self.nets.log_energy(z, self._turn)[0])

    @torch.no_grad()
    def members(self, z: Tensor) -> Tensor:
        """The energies of each network, shape (members, n), at z of shape (n, d)."""
        assert self.nets is not None
        return torch.expm1(self.nets.log_energy(z))

    @torch.no_grad()
    def spread(self, z: Tensor, wider: float = 1.0) -> tuple[Tensor, Tensor]:
        """Mean and width of log(1 + energy), shape (n,) each. The width combines the differences of the networks and
        the error of the last predictions. `wider` multiplies what exceeds the least error: in many dimensions most of
        the volume is at the edge of the region, and with a wider least error most of it would seem undiscovered.
        """
        assert self.nets is not None
        predicted = self.nets.log_energy(z)
        above_least = predicted.var(dim=0) + (self.error**2 - LEAST_ERROR**2)
        return predicted.mean(dim=0), (wider**2 * above_least + LEAST_ERROR**2).sqrt()

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`."""
        arrays = {"error": np.array(self.error), "seen": np.array(float(self._seen))}
        if self.nets is not None:
            arrays |= {f"nets/{key}": value for key, value in self.nets.to_arrays().items()}
        return arrays

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        parts = grouped(arrays)
        self.error, self._seen = float(arrays["error"]), int(arrays["seen"])
        self.nets = Nets.from_arrays(parts["nets"]) if "nets" in parts else None
