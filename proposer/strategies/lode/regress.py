"""Networks that learn observables where a Gaussian process fails, at steps, resonances and differences of large terms.

They are like the networks of an NLL (`nets.py`), but their outputs are not hidden: each is the distance of an
observable from its target in units of sigma. Distances are compared by their asinh, so that an error counts in sigmas
near the target, and as a relative error far from it. From an NLL, networks must find such residuals by themselves, and
without their signs, so they need more points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.nets import Data, Networks
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SHARE = 0.5
"""The fraction of the training steps for an NLL, because the processes are learned, too."""
ERROR, ERRORS = 0.5, 64
"""The standard deviation of errors before the first prediction, and the number of last errors of an output."""
NEAR = float(np.arcsinh(3.0))
"""Only errors of predictions closer to the target than 3 sigma count."""


class Regression(Networks):
    """A regression of targets, asinh(distance / sigma), over [-1, 1]^d.

    `errors`, shape (k, ERRORS), are the last errors of predictions near the target. At a step, most errors are small
    and a few are large, so draws of these errors describe the uncertainty, and not a normal distribution.
    """

    def __init__(self, dim: int, targets: int, more: int = 0) -> None:
        super().__init__(dim, targets, more)
        normal = torch.special.ndtri((torch.arange(ERRORS, dtype=torch.float64) + 0.5) / ERRORS)
        mixed = torch.arange(ERRORS) * 37 % ERRORS  # so that the oldest errors are not all on one side
        self.errors = ERROR * normal[mixed].repeat(targets, 1)

    def learn(self, x: Floats, t: Floats, energy: Floats, random: torch.Generator) -> None:
        """Continues the training from the last weights; one network may start again. `x` has shape (n, d), `t` shape
        (n, k), and `energy` shape (n,).
        """
        self._learn(Data(x, t, energy), random, SHARE)

    def judge(self, x: Floats, t: Floats) -> None:
        """Compares predictions with new points that were not yet learned: `x`, shape (n, d), and `t`, shape (n, k)."""
        if not self.learned or not len(x):
            return
        predicted = self.mean(torch.from_numpy(x))
        off = torch.from_numpy(t) - predicted
        for j, near in enumerate(predicted.abs().T < NEAR):
            self.errors[j] = torch.cat([self.errors[j], off[near, j]])[-ERRORS:]

    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The derivatives of smooth_l1_loss(asinh(outputs), targets), summed over the targets of a point."""
        off = torch.asinh(outputs).sub_(targets).clamp_(-1.0, 1.0).mul_(len(targets) / targets[..., 0].numel())
        return off.mul_(outputs.square().add_(1.0).rsqrt_())

    @torch.no_grad()
    def members(self, z: Tensor) -> Tensor:
        """The targets that each network predicts, shape (MEMBERS, n, k), at z of shape (n, d)."""
        return torch.cat([torch.asinh(found.double()) for found in self._all(z)], dim=1)

    def mean(self, z: Tensor) -> Tensor:
        """The mean targets over the networks, shape (n, k), at z of shape (n, d)."""
        return self.members(z).mean(dim=0)

    def draws(self, z: Tensor, normal: Tensor, wider: float) -> Tensor:
        """Draws of the targets, shape (draws, n, k): the predictions of the networks in turn, each with one of the last
        errors. `normal` are standard normal numbers, shape (draws, 1, k), which choose the error by their rank;
        `wider` multiplies the uncertainty.
        """
        members = self.members(z)
        mean = members.mean(dim=0)
        turn = torch.arange(len(normal)) % len(members)
        rank = (torch.special.ndtr(normal[:, 0]) * ERRORS).long().clamp(max=ERRORS - 1)
        error = torch.gather(self.errors.sort(dim=1).values.T, 0, rank)[:, None, :]
        return mean + wider * (members[turn] - mean + error)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `from_arrays`."""
        return super().to_arrays() | {"errors": self.errors.numpy()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Regression:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        made = cls(int(arrays["dim"]), len(arrays["errors"]), int(arrays.get("more", 0)))
        made.load(arrays)
        made.errors = torch.from_numpy(arrays["errors"].copy())
        return made
