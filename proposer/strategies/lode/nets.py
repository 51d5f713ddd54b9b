"""Networks of hidden residuals, with which LODE learns an NLL if there are no observables, and their training, which
they share with the networks of observables (`regress.py`).

An NLL is mostly a sum of squares of smooth residuals, with a narrow steep valley that a regression can hardly learn. So
each network has several outputs, and its predicted energy is the sum of their squares; the training finds such
residuals. A few networks with different initial weights give the uncertainty.

A network that continues from weights learned with few points remains worse (J. Ash and R. Adams, arXiv:1910.08475). So
the networks start again in turn when there are many more points.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.adam import Adam
from proposer.strategies.lode.layers import Layers
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

MEMBERS, WIDTH, DEPTH, RESIDUALS = 4, 64, 3, 12
"""The number of networks, their width and depth, and the number of residuals. With three networks, a third more of the
region of multi8d remained empty. From the same points, six residuals learned 0.25 of this region, and twelve 0.30.
"""
FIRST_STEPS, STEPS, ROWS, RATE = 1000, 800, 256, 1e-2
"""The steps of the first and of a later training, the points of a step, and the first learning rate. A rate of 4e-3
needs twice the steps.
"""
GROWN, AGAIN_STEPS, OTHER_STEPS = 2.5, 1800, 250
"""The oldest network starts again, with AGAIN_STEPS, when there are GROWN times as many points as at its start. The
others then take OTHER_STEPS. Without this, toy3d and multi8d took a seventh more evaluations to 95 % of the parts, and
multi10d, with a third of the steps, nearly twice as many. With GROWN = 1.4, multi8d took a fifth more.
"""
GAMMA = -0.25
"""Points are drawn in proportion to (1 + energy)^GAMMA. With -0.5, high energies, and undiscovered regions among them,
hardly counted.
"""
DECAY, REACH = 0.0016, 10.0
"""The weight decay is DECAY d^2, and inputs reach from -REACH / d to REACH / d. In few dimensions there are enough
points to learn rough functions (a decay of 0.1 in 2 dimensions took twice the evaluations); in 8 and more there are not
(a decay of 0.02 left two thirds of multi8d out).
"""

MOST_DIM = 10
"""In more dimensions, decay and reach are those of MOST_DIM dimensions; with those of 30, nothing was learned in 30
dimensions. Products of inputs are inputs, too, in at most MOST_DIM dimensions.
"""
PRODUCTS = 3.0
"""In d dimensions, products are scaled by PRODUCTS / d. Without products, toy3d_thin took a fifth more evaluations to
95 % of the parts; with unscaled products, the first good points of multi8d came late.
"""


@dataclass(frozen=True)
class Data:
    """What networks learn: inputs `x`, shape (n, d) in [-1, 1], `targets`, shape (n, ...), and the energies, shape
    (n,), by which points are drawn.
    """

    x: Floats
    targets: Floats
    energy: Floats


class Networks(ABC):
    """MEMBERS networks with several outputs over [-1, 1]^d. A subclass defines their loss. `more` is the number of
    further inputs, which follow the d others and have no products.
    """

    def __init__(self, dim: int, outputs: int, more: int = 0) -> None:
        self.dim, self.more = dim, more
        self._pairs = torch.triu_indices(dim, dim) if dim <= MOST_DIM else torch.empty(2, 0, dtype=torch.int64)
        sizes = [dim + more + self._pairs.shape[1]] + [WIDTH] * DEPTH + [outputs]
        self._shapes = [(a + 1, b) for a, b in itertools.pairwise(sizes)]  # the last row has the biases
        self._weights = torch.zeros(MEMBERS, sum(a * b for a, b in self._shapes))
        self._born = [0] * MEMBERS  # the number of points at the start of each network

    @property
    def learned(self) -> bool:
        return self._born[0] > 0

    @abstractmethod
    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The derivatives of the sum of the networks' mean losses by their outputs, shape (m, n, outputs), for targets,
        shape (m, n, ...).
        """

    def _learn(self, data: Data, random: torch.Generator, share: float, *, few: bool = False) -> None:
        """Continues the training from the last weights. One network may start again, except with `few` steps. `share`
        is the fraction of the usual steps.
        """
        every = list(range(MEMBERS))
        oldest = min(every, key=lambda member: self._born[member])
        if not self.learned:
            self._train(every, round(share * FIRST_STEPS), data, random, again=True)
        elif few:
            self._train(every, round(share * OTHER_STEPS), data, random)
        elif len(data.x) > GROWN * self._born[oldest]:
            self._train([oldest], round(share * AGAIN_STEPS), data, random, again=True)
            self._train([member for member in every if member != oldest], round(share * OTHER_STEPS), data, random)
        else:
            self._train(every, round(share * STEPS), data, random)

    def _train(
        self, members: list[int], steps: int, data: Data, random: torch.Generator, *, again: bool = False
    ) -> None:
        n = len(members)
        weights = self._begin(n, random) if again else self._weights[members]
        inputs, targets = self._inputs(torch.from_numpy(data.x)), torch.from_numpy(data.targets).float()
        weight = torch.from_numpy((1.0 + data.energy) ** GAMMA)
        rows = torch.multinomial(weight, n * ROWS * steps, replacement=True, generator=random)
        optimiser = Adam([weights], DECAY * min(self.dim, MOST_DIM) ** 2)
        layers = Layers(weights, self._shapes, ROWS)
        for step, of in enumerate(rows.view(steps, n * ROWS)):
            x, t = (every.index_select(0, of).view(n, ROWS, *every.shape[1:]) for every in (inputs, targets))
            layers.backward(self.slope(layers(x), t))
            optimiser.step([layers.gradient], RATE * 0.5 * (1.0 + math.cos(math.pi * step / steps)))
        if bool(torch.isfinite(weights).all()):
            self._weights[members] = weights
            for member in members if again else []:
                self._born[member] = len(data.x)

    def _begin(self, members: int, random: torch.Generator) -> Tensor:
        parts = []
        for number, (a, b) in enumerate(self._shapes):
            part = torch.randn(members, a, b, generator=random) * math.sqrt(2.0 / (a - 1))
            part[:, -1] = torch.randn(members, b, generator=random) * (0.5 if number == 0 else 0.0)
            parts.append(part.flatten(1))
        return torch.cat(parts, dim=1)

    def _inputs(self, z: Tensor) -> Tensor:
        products = z[:, self._pairs[0]] * z[:, self._pairs[1]] * min(1.0, PRODUCTS / self.dim)
        return (torch.cat([z, products], dim=1) * (REACH / min(self.dim, MOST_DIM))).float()

    @torch.no_grad()
    def _all(self, z: Tensor, member: int | None = None) -> Iterator[Tensor]:
        """The outputs, shape (MEMBERS, n, outputs), of all networks, or (1, n, outputs) of one, at z of shape (n, d), a
        thousand points at a time.
        """
        x, weights = self._inputs(z), self._weights if member is None else self._weights[member : member + 1]
        for few in torch.split(x, 1024):
            yield Layers(weights, self._shapes, len(few))(few.expand(len(weights), -1, -1))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        return {
            "weights": self._weights.double().numpy(),
            "dim": np.array(float(self.dim)),
            "more": np.array(float(self.more)),
            "born": np.array(self._born, dtype=float),
        }

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        if arrays["weights"].shape != self._weights.shape or arrays["born"].shape != (MEMBERS,):
            raise ValueError("the weights do not fit")
        self._weights = torch.from_numpy(arrays["weights"]).float()
        self._born = [int(born) for born in arrays["born"]]


class Nets(Networks):
    """A regression of energies over [-1, 1]^d."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, RESIDUALS)

    def learn(
        self, x: Floats, energy: Floats, random: torch.Generator, share: float = 1.0, *, few: bool = False
    ) -> None:
        """Continues the training from the last weights. One network may start again, except with `few` steps.

        `x` has shape (n, d) in [-1, 1]; `energy` has shape (n,), and is finite. `share` is the fraction of the usual
        steps.
        """
        self._learn(Data(x, np.log1p(energy), energy), random, share, few=few)

    def slope(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The derivatives of smooth_l1_loss(log(1 + energy), targets)."""
        energy = outputs.square().sum(dim=-1)
        off = torch.log1p(energy).sub_(targets).clamp_(-1.0, 1.0).mul_(1.0 / targets.numel()).mul_(float(len(targets)))
        return off.div_(energy.add_(1.0))[..., None] * outputs.mul(2.0)

    @torch.no_grad()
    def log_energy(self, z: Tensor, member: int | None = None) -> Tensor:
        """log(1 + energy) of each network, shape (MEMBERS, n), or of one, shape (1, n), at z of shape (n, d)."""
        return torch.cat([_log_energy(found) for found in self._all(z, member)], dim=1).double()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Nets:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        made = cls(int(arrays["dim"]))
        made.load(arrays)
        return made


def _log_energy(residuals: Tensor) -> Tensor:
    """log(1 + sum of squared residuals), shape (m, n), of residuals, shape (m, n, k)."""
    return torch.log1p(residuals.square().sum(dim=-1))
