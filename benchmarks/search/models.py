"""Models that LODE could use instead: a classifier, an ensemble of networks, a model without uncertainty."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.strategies.lode.nets import Nets
from proposer.strategies.lode.nll import OfNll
from proposer.strategies.lode.observables import MOST_POINTS, OfObservables
from proposer.strategies.lode.points import Known
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.train import training_rows
from proposer.types import Floats

Inputs = Callable[[Floats], Floats]

WIDTH, FIRST_STEPS, LATER_STEPS, ROWS, RATE = 64, 1500, 300, 256, 5e-3
"""The networks have three hidden layers of 64, and as many steps of 256 points as LODE's own networks."""
MOST_LEARNED, DRAWS = 4000, 32


class Sure(OfObservables):
    """LODE's model, except that its probabilities are 0 or 1."""

    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        return np.asarray((self(torch.from_numpy(u)) < 1.0).double().numpy())


class WithoutPlanes(OfObservables):
    """LODE's model without the planes at which an observable changes abruptly."""

    def _find_ridges(self, known: Known, usable: NDArray[np.int64], rng: np.random.Generator) -> bool:
        return False


class OneMember(OfNll):
    """For an NLL alone: the first network takes the place of all, so that the networks never differ."""

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        super().fit(known, rng)
        if self.residuals.nets is not None:
            self.residuals.nets = Nets.from_arrays(
                {
                    name: np.repeat(value[:1], len(value), axis=0) if value.ndim else value
                    for name, value in self.residuals.nets.to_arrays().items()
                }
            )


class Classifier(OfObservables):
    """A Gaussian process of +1 for good and -1 for every other answer; the energy is 1 minus that."""

    def __init__(self, dim: int, energy: EnergyOfObservables, inputs: Inputs) -> None:
        super().__init__(dim, energy, inputs)
        self._labels = Processes(dim, 1)
        self._from = 0

    @property
    def fitted(self) -> bool:
        return self._from > 0

    def expect(self, u: Floats) -> None:
        """Does nothing, because there is no other model to compare with."""

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        usable = np.flatnonzero(known.answered)
        # all of them count as near, because the training points are spread evenly
        energy = np.where(known.good, 0.0, 2.0)
        rows = usable[training_rows(known.u[usable], energy[usable], MOST_POINTS, rng)]
        x, t = self.inputs(known.u[rows]), np.where(known.good[rows], 1.0, -1.0)[:, None]
        if len(usable) >= 1.2 * self._from:
            self._labels.learn(x, t, rng)
            self._from = len(usable)
        self._labels.condition(x, t)

    @torch.no_grad()
    def __call__(self, u: Tensor) -> Tensor:
        return (1.0 - self._labels.mean(torch.from_numpy(self.inputs(u.numpy())))[:, 0]).clamp(min=0.0)

    def rough(self, u: Tensor) -> Tensor:
        return self(u)

    @torch.no_grad()
    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        z = torch.from_numpy(self.inputs(u))
        mean, deviation = self._labels.predict(z)
        deviation = wider * (deviation.square() + self._labels.noise[0]).sqrt()
        return np.asarray(torch.special.ndtr(mean / deviation)[:, 0].numpy())


class Ensemble(OfObservables):
    """Networks that regress the observables; how far they differ, and their error, is how unsure they are."""

    def __init__(self, dim: int, energy: EnergyOfObservables, inputs: Inputs, members: int) -> None:
        super().__init__(dim, energy, inputs)
        self._scored, self._members = energy, members
        self._code: Coding | None = None
        self._parameters: list[Tensor] = []
        self._error = torch.zeros(0)

    @property
    def fitted(self) -> bool:
        return bool(self._parameters)

    def expect(self, u: Floats) -> None:
        """Does nothing, because there is no other model to compare with."""

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        usable = np.flatnonzero(np.isfinite(known.values).all(axis=1) & known.answered)
        if len(usable) < 10:
            return
        self._code = self._code or Coding.of(known.values[usable])
        random = torch.Generator().manual_seed(int(rng.integers(2**63)))
        steps = LATER_STEPS if self.fitted else FIRST_STEPS
        if not self.fitted:
            self._begin(known.values.shape[1], random)
        rows = usable[training_rows(known.u[usable], known.energy[usable], MOST_LEARNED, rng)]
        x = torch.from_numpy(self.inputs(known.u[rows])).float()
        t = torch.from_numpy(self._code.encode(known.values[rows])).float()
        optimiser = torch.optim.AdamW(self._parameters, lr=RATE, weight_decay=1e-3)
        for step in range(steps):
            of = torch.randint(len(x), (self._members, ROWS), generator=random)
            optimiser.param_groups[0]["lr"] = RATE * 0.5 * (1.0 + math.cos(math.pi * step / steps))
            optimiser.zero_grad()
            (self._outputs(x[of]) - t[of]).square().mean().mul(self._members).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            self._error = (self._all(x.double()).mean(dim=0) - t).square().mean(dim=0)

    def _begin(self, outputs: int, random: torch.Generator) -> None:
        for a, b in itertools.pairwise([self.dim, WIDTH, WIDTH, WIDTH, outputs]):
            weights = torch.randn(self._members, a, b, generator=random) / math.sqrt(a)
            self._parameters += [weights.requires_grad_(True), torch.zeros(self._members, 1, b, requires_grad=True)]

    def _outputs(self, x: Tensor) -> Tensor:
        """Targets, shape (members, n, k), of x, shape (members, n, d)."""
        for number in range(0, len(self._parameters), 2):
            x = torch.nn.functional.silu(x) if number else x
            x = torch.baddbmm(self._parameters[number + 1], x, self._parameters[number])
        return x

    @torch.no_grad()
    def _all(self, z: Tensor) -> Tensor:
        return self._outputs(z.float().expand(self._members, -1, -1)).double()

    def _energies(self, t: Tensor) -> Tensor:
        assert self._code is not None
        return self._scored(self._code.decode(t), torch.from_numpy(self._code.spread))

    def __call__(self, u: Tensor) -> Tensor:
        return self._energies(self._all(torch.from_numpy(self.inputs(u.numpy()))).mean(dim=0))

    def rough(self, u: Tensor) -> Tensor:
        return self(u)

    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        energies = self._all(torch.from_numpy(self.inputs(u)))
        mean, deviation = energies.mean(dim=0), wider * (energies.var(dim=0, correction=0) + self._error).sqrt()
        count = torch.zeros(len(u), dtype=torch.float64)
        for draw in rng.standard_normal((DRAWS, mean.shape[1])):
            count += self._energies(mean + deviation * torch.from_numpy(draw)) < 1.0
        return np.asarray((count / DRAWS).numpy())
