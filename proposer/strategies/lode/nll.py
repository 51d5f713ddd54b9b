"""The model with which LODE learns an NLL if there are no observables.

A few networks of hidden residuals (`residuals.py`) learn any NLL roughly. Sums of squared polynomials (`squares.py`)
learn a few kinds of NLL exactly, and so do waves (`oscillation.py`).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor

from proposer.strategies.lode.energy import FAR, EnergyOfObservables
from proposer.strategies.lode.oscillation import Oscillation
from proposer.strategies.lode.residuals import FARTHEST, LEAST_ERROR, Residuals
from proposer.strategies.lode.sample import ROUGH_ABOVE
from proposer.strategies.lode.solve import ahead
from proposer.strategies.lode.squares import Squares
from proposer.strategies.lode.surrogate import LEARN_AGAIN, grouped
from proposer.strategies.lode.train import training_rows
from proposer.strategies.lode.validity import Validity
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known

MOST_BY_SQUARES, MOST_JUDGED = 1200, 600
"""The largest numbers of points from which the polynomials, and the Gaussian process of the validity, learn."""
FARTHER = 2.0
"""The error of other models at new points, in units of the error by cross-validation, for their weight beside the
networks, whose error is one at new points. With 1, a third of the first points of multi10d for which the weight counted
were bad.
"""
PATIENCE, PATIENCE_BY_DIMENSION = 0.3, 0.04
"""The power with which misses lower the fraction of exploring points is PATIENCE_BY_DIMENSION per dimension, up to
PATIENCE. With PATIENCE in three dimensions, a thin toy3d took a quarter more evaluations to 95 % of the parts, and
missed one to three of the 13 regions. With 0.12 in eight dimensions, multi8d took an eighth more to a thousand good
points.
"""


class OfNll:
    """Predicts the energy of an NLL; implements `Surrogate`.

    `energy` defines the good NLLs. `inputs` maps u, shape (n, d), to the inputs of the networks, shape (n, dim), about
    [-1, 1].
    """

    by_observables: ClassVar[bool] = False
    rough_above: ClassVar[float] = ROUGH_ABOVE
    wider: ClassVar[float] = 2.5
    """With 1.5, two of the 13 regions of a thin toy3d remained undiscovered."""
    uniform: ClassVar[float] = 0.03
    """With 0.01, three of the 13 regions remained undiscovered."""

    def __init__(self, dim: int, energy: EnergyOfObservables, inputs: Callable[[Floats], Floats]) -> None:
        self.dim, self.inputs = dim, inputs
        self._of_nll = energy.of_nll
        self.residuals = Residuals(dim)
        self._squares = Squares(dim)
        self._oscillation = Oscillation()
        self._validity = Validity(dim, inputs)
        self._scale = self._of_nll.scale  # at the last training of the networks
        self._learned_from = 0

    @property
    def fitted(self) -> bool:
        return self.residuals.nets is not None

    @property
    def patience(self) -> float:
        return min(PATIENCE, PATIENCE_BY_DIMENSION * self.dim)

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        usable = np.flatnonzero(np.isfinite(known.energy) & known.answered)
        if len(usable) < min(10, 2 + self.dim):
            return
        before, self._scale = self._scale, self._of_nll.scale
        now = partial(self._of_nll.since, scale=before) if before != self._scale else None
        self.residuals.fit(known.u, self.inputs(known.u), known.plain, usable, rng, now=now, few=ahead(known))
        rows = usable[training_rows(known.u[usable], known.energy[usable], MOST_BY_SQUARES, rng)]
        x, plain = self.inputs(known.u[rows]), known.plain[rows].clip(max=FARTHEST)
        self._squares.learn(x, plain, rng)
        again = len(usable) >= LEARN_AGAIN * self._learned_from
        if again:
            self._learned_from = len(usable)
        self._oscillation.learn(x, plain, rng, again=again)
        has_nll = known.ok & np.isfinite(known.energy)
        self._validity.fit(known, has_nll, known.answered & ~known.ok, rng, most=MOST_JUDGED, again=again)

    @torch.no_grad()
    def __call__(self, u: Tensor) -> Tensor:
        z = torch.from_numpy(self.inputs(u.numpy()))
        energy = self._of_nll.within(self.residuals(z))
        return self._validity.raise_energy(energy, z).clamp(max=FAR)

    def rough(self, u: Tensor) -> Tensor:
        return self(u)

    def expect(self, u: Floats) -> None:
        """Does nothing, because the networks compare their predictions when they are fitted."""

    def members(self, u: Floats) -> Floats:
        return np.asarray(self._of_nll.within(self.residuals.members(torch.from_numpy(self.inputs(u)))).numpy())

    def _others(self) -> list[tuple[Callable[[Tensor], Tensor], float]]:
        """The other models that predict better than a constant, and their errors, the best first."""
        found: list[tuple[Callable[[Tensor], Tensor], float]] = []
        for member, error in enumerate(self._squares.errors.tolist()):
            found.append((partial(self._squares.energy, member=member), error))
        if np.isfinite(self._oscillation.error):
            found.append((self._oscillation.energy, self._oscillation.error))
        return sorted(found, key=lambda one: one[1])

    def others(self) -> list[Callable[[Tensor], Tensor]]:
        """The energies of the polynomials and waves, if these predict better than a constant."""

        def energy(model: Callable[[Tensor], Tensor], u: Tensor) -> Tensor:
            z = torch.from_numpy(self.inputs(u.numpy()))
            return self._validity.raise_energy(self._of_nll.within(model(z)), z).clamp(max=FAR)

        return [partial(energy, model) for model, _ in self._others()]

    def probability_by_others(self, u: Floats) -> Floats:
        z = torch.from_numpy(self.inputs(u))
        models, errors = zip(*self._others(), strict=True)
        log_energy = np.log1p([self._of_nll.within(model(z)).numpy() for model in models])
        error = np.array(errors)[:, None].clip(LEAST_ERROR)
        good = np.average(ndtr((math.log(2.0) - log_energy) / error), axis=0, weights=error[:, 0] ** -2)
        return np.asarray(good * self._validity.probability(z).numpy())

    @property
    def weight_of_others(self) -> float:
        if not (others := self._others()):
            return 0.0
        of_networks, of_others = self.residuals.error, FARTHER * max(LEAST_ERROR, others[0][1])
        return of_networks**2 / (of_networks**2 + of_others**2)

    def beside_planes(self, known: Known) -> list[Callable[[Tensor], Tensor]]:
        return []

    @torch.no_grad()
    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        """The probability for a normal distribution of log(1 + energy)."""
        if not len(u):
            return np.empty(0)
        z = torch.from_numpy(self.inputs(u))
        valid = self._validity.probability(z)
        middle, width = self.residuals.spread(z, wider)
        below = torch.special.ndtr((math.log(2.0) - middle) / width)
        if self._of_nll.least > 0.0:  # a band
            below -= torch.special.ndtr((math.log1p(self._of_nll.least) - middle) / width)
        return np.asarray((below * valid).numpy())

    def observables(self, u: Floats) -> Floats | None:
        return None

    def scaled(self, values: Floats) -> Floats:
        return values

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        arrays = {"learned_from": np.array(float(self._learned_from)), "scale": np.array(self._scale, dtype=float)}
        arrays |= {f"squares/{key}": value for key, value in self._squares.to_arrays().items()}
        arrays |= {f"oscillation/{key}": value for key, value in self._oscillation.to_arrays().items()}
        return arrays | self.residuals.to_arrays() | self._validity.to_arrays()

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        self._learned_from = int(arrays["learned_from"])
        threshold, unit, soft = arrays.get("scale", np.array(self._of_nll.scale, dtype=float)).tolist()
        self._scale = threshold, unit, bool(soft)
        self.residuals.load(arrays)
        parts = grouped(arrays)
        self._squares = Squares.from_arrays(parts["squares"]) if "squares" in parts else Squares(self.dim)
        if "oscillation" in parts:  # an older lodescan had none
            self._oscillation = Oscillation.from_arrays(parts["oscillation"])
        self._validity.load(parts.get("validity"))
