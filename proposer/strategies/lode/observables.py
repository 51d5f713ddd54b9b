"""What LODE learns with where observables come back: Gaussian processes of them (`process.py`).

Observables are smooth where the NLL has narrow valleys, and the true likelihood turns predictions into energies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.apart import alone, made_bad, no_physics
from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.energy import FAR, EnergyOfObservables
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.surrogate import LEARN_AGAIN, grouped
from proposer.strategies.lode.train import training_rows
from proposer.strategies.lode.validity import Validity
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known

MOST_POINTS, MOST_NUMBERS, LEAST_POINTS = 1200, 1600, 300
"""Most points that the regression is conditioned on, and most points times outputs: these bound what an iteration
costs; 2,400 numbers cost a fifth more CPU for the same map. No fewer than 300 points for any number of outputs."""
DRAWS = 32
"""Of what the regression leaves open, for the probability of a point."""
PATIENCE = 0.3
"""Exploring goes on although its points are seldom good: 1 left regions undiscovered, 0 cost a fifth more points."""


class OfObservables:
    """Predicts observables, and their energy; implements `Surrogate`.

    `inputs`: from u, shape (n, d), to what the regression sees, shape (n, dim), about [-1, 1].
    """

    by_observables: ClassVar[bool] = True
    wider: ClassVar[float] = 1.5
    """1 left one or two of the 13 regions of a thin toy3d undiscovered."""
    uniform: ClassVar[float] = 0.01
    """0.03 found nothing more and took 3 % more evaluations."""

    def __init__(self, dim: int, energy: EnergyOfObservables, inputs: Callable[[Floats], Floats]) -> None:
        self.dim, self.energy, self.inputs = dim, energy, inputs
        self._coding: Coding | None = None
        self._values: Processes | None = None
        self._rough: Processes | None = None
        self._validity = Validity(dim, inputs)
        self._learned_from = 0
        self._coded_apart = False  # whether points were set apart when the scale was found

    @property
    def fitted(self) -> bool:
        return self._values is not None

    @property
    def patience(self) -> float:
        return PATIENCE

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        y = known.values
        usable = np.flatnonzero(np.isfinite(y).all(axis=1) & known.answered)
        least = min(10, 2 + self.dim)
        if len(usable) < least:
            return
        apart = np.zeros(len(y), dtype=np.bool_)
        losses = self.energy.losses(torch.from_numpy(y[usable])).numpy()
        no_value = no_physics(y[usable], losses, self.energy.one_sided)
        if no_value.any():
            outside = self.energy.outside(torch.from_numpy(y[usable])).numpy()
            bad = made_bad(no_value, losses, outside, self.energy.of_nll.threshold)
            if len(usable) - bad.sum() >= least:
                apart[usable[bad]], usable, no_value = True, usable[~bad], no_value[~bad]
        if self._coding is None or self._values is None or self._coded_apart != apart.any():
            self._coding = Coding.of(y[usable], alone(no_value, y[usable]))
            self._coded_apart = bool(apart.any())
            self._values = Processes(self.dim, y.shape[1])
            self._learned_from = 0
        again = len(usable) >= LEARN_AGAIN * self._learned_from
        most = min(MOST_POINTS, max(LEAST_POINTS, MOST_NUMBERS // y.shape[1]))
        rows = usable[training_rows(known.u[usable], known.energy[usable], most, rng)]
        x, t = self.inputs(known.u[rows]), self._coding.encode(y[rows])
        if again:
            self._values.learn(x, t, rng)
            self._learned_from = len(usable)
        self._values.condition(x, t)
        few = training_rows(known.u[rows], known.energy[rows], len(rows) // 3, rng)
        self._rough = self._values.thinned(x[few], t[few]) if len(rows) > LEAST_POINTS // 2 else self._values
        valid = known.ok & ~known.lacking & ~apart
        invalid = known.unexplained | known.lacking | apart
        self._validity.fit(known, valid, invalid, rng, most=most // 2, again=again)

    def _decode(self, t: Tensor) -> Tensor:
        """Energies, shape (n,), of targets, shape (n, k)."""
        assert self._coding is not None
        return self.energy(self._coding.decode(t), torch.from_numpy(self._coding.spread))

    @torch.no_grad()
    def __call__(self, u: Tensor) -> Tensor:
        return self._predict(self._values, u)

    @torch.no_grad()
    def rough(self, u: Tensor) -> Tensor:
        """From a third of the points, at a third of the cost."""
        return self._predict(self._rough, u)

    def _predict(self, values: Processes | None, u: Tensor) -> Tensor:
        assert values is not None
        z = torch.from_numpy(self.inputs(u.numpy()))
        return self._validity.raise_energy(self._decode(values.mean(z)), z).clamp(max=FAR)

    def members(self, u: Floats) -> Floats:
        return np.asarray(self(torch.from_numpy(u)).numpy())[None]

    @torch.no_grad()
    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        """The share of good ones among 32 draws of what the regression leaves open."""
        assert self._values is not None
        if not len(u):
            return np.empty(0)
        z = torch.from_numpy(self.inputs(u))
        valid = self._validity.probability(z)
        mean, deviation = self._values.mean(z), self._values.deviation(z)
        # what the regression calls noise is, without any, its own error: open all the same
        deviation = wider * (deviation.square() + self._values.noise).sqrt()
        draws = torch.from_numpy(rng.standard_normal((DRAWS, 1, mean.shape[1])))
        energy = self._decode((mean + deviation * draws).flatten(0, 1)).view(DRAWS, len(u))
        return ((energy < 1.0).double().mean(dim=0) * valid).numpy()

    @torch.no_grad()
    def observables(self, u: Floats) -> Floats | None:
        assert self._values is not None
        assert self._coding is not None
        return self.scaled(self._coding.decode(self._values.mean(torch.from_numpy(self.inputs(u)))).numpy())

    def scaled(self, values: Floats) -> Floats:
        """Logarithms of those that are learned as such."""
        return values if self._coding is None else self._coding.scaled(values)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        arrays: dict[str, NDArray[np.float64]] = {
            "learned_from": np.array(float(self._learned_from)),
            "coded_apart": np.array(float(self._coded_apart)),
        }
        if self._values is not None:
            arrays |= {f"values/{key}": value for key, value in self._values.to_arrays().items()}
        if self._coding is not None:
            arrays |= {f"coding/{key}": value for key, value in vars(self._coding).items()}
        return arrays | self._validity.to_arrays()

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        parts = grouped(arrays)
        self._learned_from, self._coded_apart = int(arrays["learned_from"]), bool(arrays["coded_apart"])
        self._coding = Coding(**parts["coding"]) if "coding" in parts else None
        self._values = Processes.from_arrays(parts["values"]) if "values" in parts else None
        self._validity.load(parts.get("validity"))
