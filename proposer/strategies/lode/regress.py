"""Four small networks that regress observables. They may work where a Gaussian process fails, at steps and resonances.

A process has one length scale per variable for the whole cube; networks have none. Their differences and their past
errors give their uncertainty.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.adam import Adam
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MEMBERS, WIDTH, DEPTH = 4, 64, 3
FIRST_STEPS, LATER_STEPS, ROWS, RATE, DECAY = 1000, 250, 256, 5e-3, 1e-3


class Regression:
    """A regression of k outputs with about unit variance over [-1, 1]^d."""

    def __init__(self, dim: int, outputs: int) -> None:
        self.dim, self.outputs = dim, outputs
        self.learned = False
        self.error = torch.full((outputs,), 0.1, dtype=torch.float64)
        """Mean square errors at the training points, shape (k,)."""
        sizes = [dim, *[WIDTH] * DEPTH, outputs]
        self._shapes = [(a + 1, b) for a, b in itertools.pairwise(sizes)]  # the last row has the biases
        self._weights = torch.zeros(MEMBERS, sum(a * b for a, b in self._shapes))

    def learn(self, x: Floats, t: Floats, random: torch.Generator) -> None:
        """Continues the training from the last weights. `x` has shape (n, d), `t` shape (n, k)."""
        steps = LATER_STEPS if self.learned else FIRST_STEPS
        weights = (self._weights.clone() if self.learned else self._begin(random)).requires_grad_(True)
        inputs, targets = torch.from_numpy(x).float(), torch.from_numpy(t).float()
        optimiser = Adam([weights], DECAY)
        for step in range(steps):
            rows = torch.randint(len(x), (MEMBERS, ROWS), generator=random)
            loss = torch.nn.functional.smooth_l1_loss(self._outputs(weights, inputs[rows]), targets[rows])
            gradient = torch.autograd.grad(MEMBERS * loss, weights)
            optimiser.step(gradient, RATE * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        if bool(torch.isfinite(weights).all()):
            self._weights, self.learned = weights.detach(), True
            self.error = (self.predict(torch.from_numpy(x))[0] - torch.from_numpy(t)).square().mean(dim=0)

    def _begin(self, random: torch.Generator) -> Tensor:
        parts = []
        for a, b in self._shapes:
            part = torch.randn(MEMBERS, a, b, generator=random) * math.sqrt(2.0 / (a - 1))
            parts.append(part.flatten(1))
        return torch.cat(parts, dim=1)

    def _outputs(self, weights: Tensor, x: Tensor) -> Tensor:
        """The outputs, shape (members, n, k), of x, shape (members, n, d)."""
        parts = torch.split(weights, [a * b for a, b in self._shapes], dim=1)
        for number, (part, (a, b)) in enumerate(zip(parts, self._shapes, strict=True)):
            layer = part.view(-1, a, b)
            x = torch.nn.functional.silu(x) if number else x
            x = torch.baddbmm(layer[:, -1:], x, layer[:, :-1])
        return x

    @torch.no_grad()
    def predict(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance over the networks, shape (n, k) each, at z of shape (n, d)."""
        found = self._outputs(self._weights, z.float().expand(MEMBERS, -1, -1)).double()
        return found.mean(dim=0), found.var(dim=0, correction=0)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `from_arrays`."""
        sizes = np.array([float(self.dim), float(self.outputs), float(self.learned)])
        return {"weights": self._weights.double().numpy(), "sizes": sizes, "error": self.error.numpy()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Regression:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        dim, outputs, learned = (int(size) for size in arrays["sizes"])
        made = cls(dim, outputs)
        if arrays["weights"].shape != made._weights.shape:
            raise ValueError("the weights do not fit")
        made.error = torch.from_numpy(arrays["error"].copy())
        made._weights, made.learned = torch.from_numpy(arrays["weights"]).float(), bool(learned)
        return made
