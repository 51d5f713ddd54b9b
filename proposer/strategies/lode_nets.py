"""What LODE learns with where only an NLL comes back: networks of hidden residuals.

An NLL is mostly a sum of squares: a valley with a steep floor, which no regression likes, of residuals that are
smooth. So each network has several outputs, the energy that it predicts is the sum of their squares, and it is free
to find residuals of which that is true. A few networks that start from different weights say how sure they are.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.base import Floats
from proposer.strategies.lode_adam import Adam

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MEMBERS, WIDTH, DEPTH, RESIDUALS = 4, 64, 3, 12
"""Three networks left a third more of multi8d out; of the same points six residuals learn 0.25 of it, twelve 0.30."""
FIRST_STEPS, LATER_STEPS, ROWS, RATE = 1500, 300, 256, 1e-2
"""With a rate of 4e-3 it takes twice the steps."""
GAMMA = -0.25
"""Points are drawn in proportion to (1 + energy)^GAMMA: with -0.5 what is far, and regions that nobody has seen in it,
hardly counted."""
DECAY, REACH = 0.0016, 10.0
"""The weights decay by DECAY d^2, and inputs reach from -REACH / d to REACH / d: in few dimensions there are points
enough to tell what is not smooth (a decay of 0.1 in 2 took twice the evaluations), in 8 and more there are not (one of
0.02 left two thirds of multi8d out)."""

MOST_DIM = 10
"""Both are as in ten dimensions in more: in 30 nothing was learned else."""


class Nets:
    """Energies over [-1, 1]^d, from points and energies."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        sizes = [dim] + [WIDTH] * DEPTH + [RESIDUALS]
        self._shapes = [(a + 1, b) for a, b in itertools.pairwise(sizes)]  # the last row: biases
        self._weights = torch.zeros(MEMBERS, sum(a * b for a, b in self._shapes))
        self.learned = False

    def learn(self, x: Floats, energy: Floats, random: torch.Generator) -> None:
        """Goes on from the last weights. `x`: shape (n, d) in [-1, 1]; `energy`: shape (n,), finite."""
        if not self.learned:
            self._begin(random)
        steps = LATER_STEPS if self.learned else FIRST_STEPS
        inputs, targets = self._inputs(torch.from_numpy(x)), torch.from_numpy(np.log1p(energy)).float()
        odds = torch.from_numpy((1.0 + energy) ** GAMMA)
        rows = torch.multinomial(odds, MEMBERS * ROWS * steps, replacement=True, generator=random)
        weights = self._weights.clone().requires_grad_(True)
        optimiser = Adam([weights], DECAY * min(self.dim, MOST_DIM) ** 2)
        for step, of in enumerate(rows.view(steps, MEMBERS, ROWS)):
            misfit = torch.nn.functional.smooth_l1_loss(_log_energy(weights, self._shapes, inputs[of]), targets[of])
            slopes = torch.autograd.grad(MEMBERS * misfit, weights)
            optimiser.step(slopes, RATE * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        if bool(torch.isfinite(weights).all()):
            self._weights = weights.detach()
            self.learned = True

    def _begin(self, random: torch.Generator) -> None:
        parts = []
        for number, (a, b) in enumerate(self._shapes):
            part = torch.randn(MEMBERS, a, b, generator=random) * math.sqrt(2.0 / (a - 1))
            part[:, -1] = torch.randn(MEMBERS, b, generator=random) * (0.5 if number == 0 else 0.0)
            parts.append(part.flatten(1))
        self._weights = torch.cat(parts, dim=1)

    def _inputs(self, z: Tensor) -> Tensor:
        return (z * (REACH / min(self.dim, MOST_DIM))).float()

    @torch.no_grad()
    def log_energy(self, z: Tensor, member: int | None = None) -> Tensor:
        """log(1 + energy) of each network, shape (MEMBERS, n), or of one, shape (1, n), at z of shape (n, d)."""
        x, weights = self._inputs(z), self._weights if member is None else self._weights[member : member + 1]
        every = [_log_energy(weights, self._shapes, few.expand(len(weights), -1, -1)) for few in torch.split(x, 1024)]
        return torch.cat(every, dim=1).double()

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        return {"weights": self._weights.double().numpy(), "dim": np.array(float(self.dim))}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Nets:
        """The opposite of `to_arrays`; raises KeyError and ValueError."""
        made = cls(int(arrays["dim"]))
        if arrays["weights"].shape != made._weights.shape:
            raise ValueError("the weights do not fit")
        made._weights = torch.from_numpy(arrays["weights"]).float()
        made.learned = True
        return made


def _log_energy(weights: Tensor, shapes: list[tuple[int, int]], x: Tensor) -> Tensor:
    """log(1 + sum of squared residuals), shape (m, n), of x (m, n, d) with weights (m, p)."""
    parts = torch.split(weights, [a * b for a, b in shapes], dim=1)
    for number, (part, (a, b)) in enumerate(zip(parts, shapes, strict=True)):
        if number:
            x = torch.nn.functional.silu(x)
        layer = part.view(-1, a, b)
        x = torch.baddbmm(layer[:, -1:], x, layer[:, :-1])
    return torch.log1p(x.square().sum(dim=-1))
