"""The model with which LODE learns observables: Gaussian processes (`process.py`).

Observables are smooth even if the NLL has narrow valleys, and the exact likelihood turns predictions into energies.
Networks predict outputs that a process predicts badly, for example at a resonance or a step (`by_nets.py`). Then planes
at which such an output changes abruptly are looked for (`ridges.py`). Observables that are a likelihood themselves are
learned like an NLL (`rest.py`). The numbers in the comments are the steps of `docs/search-steps.md`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.apart import alone, without_physics
from proposer.strategies.lode.by_nets import ByNets
from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.either import around_targets
from proposer.strategies.lode.energy import FAR, EnergyOfObservables
from proposer.strategies.lode.misses import error_of
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.rest import Rest
from proposer.strategies.lode.ridges import Ridges
from proposer.strategies.lode.sample import ROUGH_ABOVE
from proposer.strategies.lode.scales import Scales
from proposer.strategies.lode.squared import with_squares
from proposer.strategies.lode.surrogate import LEARN_AGAIN, grouped
from proposer.strategies.lode.train import training_rows
from proposer.strategies.lode.validity import Validity
from proposer.strategies.lode.waving import with_waves
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known

MOST_POINTS, MOST_NUMBERS, LEAST_POINTS = 1200, 1600, 300
"""The processes learn from at most MOST_POINTS points, and from at most MOST_NUMBERS points times outputs, but always
from LEAST_POINTS points if there are so many. With planes, only outputs that need all points count, because the few
points close to planes are needed. This bounds the cost of an iteration. With MOST_NUMBERS = 2400, the same map cost a
fifth more CPU.
"""
EXACT, NEAR, LEAST_NEAR = 0.03, 2.0, 10
"""An output is predicted from a third of the points, and its length scales are kept, as long as this third predicts the
others well enough: those with an energy below NEAR, with an error below EXACT. At least LEAST_NEAR such points must be
known. Without this condition, a problem with 20 variables and 25 outputs had 18 good points among the first hundred,
instead of 86.
"""
LEARNED = 0.01
"""The length scales of an output are learned no further if each point is predicted from the others with a smaller
error, in sigmas, because errors below the resolution of a likelihood do not matter.
"""
FEW_OUTPUTS = 10
"""With more outputs, rough predictions are used further down: a sum of many losses has a smaller relative error."""
BESIDE = 5.0
"""Points are close to a plane if they are at most this many of its widths from it."""
DRAWS, TOGETHER = 32, 256
"""The number of draws from the uncertainty, and of the points whose draws are computed at once and stay in a cache."""
PATIENCE = 0.3
"""The power with which misses lower the fraction of exploring points. With 1, regions remained undiscovered; 0 cost a
fifth more points.
"""


class OfObservables:
    """Predicts observables, and their energy; implements `Surrogate`.

    `inputs` maps u, shape (n, d), to the inputs of the regression, shape (n, dim), about [-1, 1].
    """

    by_observables: ClassVar[bool] = True
    wider: ClassVar[float] = 1.5
    """With 1, one or two of the 13 regions of a thin toy3d remained undiscovered."""
    uniform: ClassVar[float] = 0.01
    """With 0.03, no more was found, and the scan took 3 % more evaluations."""

    def __init__(self, dim: int, energy: EnergyOfObservables, inputs: Callable[[Floats], Floats]) -> None:
        self.dim, self.energy, self.inputs = dim, energy, inputs
        self._ridges = Ridges(dim)
        self._coding: Coding | None = None
        self._coded_apart = False  # whether points without physics were left out of the scale
        self._scales = Scales(dim)
        self._values: Processes | None = None
        self._learned_from = 0
        self._rough: Processes | None = None
        self._exact = np.zeros(len(energy.columns), dtype=np.bool_)  # whether few points predict an output well
        self._nets = ByNets(dim, energy, self._inputs)
        self._rest = Rest(dim, energy.of_nll, inputs) if energy.as_nll else None
        self._validity = Validity(dim, inputs)

    @property
    def fitted(self) -> bool:
        return self._values is not None and self._values.conditioned

    @property
    def patience(self) -> float:
        return PATIENCE

    @property
    def by_nets(self) -> NDArray[np.bool_]:
        """Whether networks predict an output, shape (k,)."""
        return self._nets.which

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        y = known.values
        complete = np.flatnonzero(np.isfinite(y).all(axis=1) & known.answered)
        least = min(10, 2 + self.dim)
        if len(complete) < least:
            return
        usable, bad, no_value = without_physics(self.energy, y, complete, least)  # 2.7
        self._scale_anew(y[usable], no_value, apart=len(bad) > 0)  # 2.1
        again = len(usable) >= LEARN_AGAIN * self._learned_from
        most = self._most
        rows = usable[training_rows(known.u[usable], known.energy[usable], most, rng)]  # 2.8
        again |= self._find_ridges(known, usable, rng)  # 2.2
        x = self._inputs(known.u[rows])
        if again:
            self._learn(x, y[rows], no_value, rng)  # 2.1
            self._learned_from = len(usable)
        t = self._condition(x, y[rows], len(usable), rng)
        self._thin(x, t, known.u[rows], known.energy[rows], rng)  # 2.8
        self._nets.fit(known, usable, self._scale, rng)  # 2.2
        if self._rest is not None:
            self._rest.fit(known, rng)  # 2.5
        apart = np.isin(np.arange(len(y)), bad)
        valid = known.ok & ~known.lacking & ~apart
        invalid = known.unexplained | known.lacking | apart
        self._validity.fit(known, valid, invalid, rng, most=most // 2, again=again)  # 2.6

    def _scale_anew(self, y: Floats, no_value: NDArray[np.bool_], *, apart: bool) -> None:
        """Chooses a scale for observables y, shape (n, k), if there is none, or if values have left it. The processes
        then begin again. `no_value`, shape (n, k): which values do not come from physics. `apart`: whether points were
        left out because of such a value.
        """
        kept = self._coding is not None and self._coded_apart == apart
        if kept and not self._scale.left_by(y[~no_value.any(axis=1)]):
            return
        self._coding, self._coded_apart = Coding.of(y, alone(no_value, y)), apart
        self._values = Processes(self._seen, y.shape[1])
        self._exact = np.zeros(y.shape[1], dtype=np.bool_)
        self._learned_from = self._scales.compared_from = 0
        self._nets.begin_again()

    @property
    def _most(self) -> int:
        """The largest number of points from which the processes learn."""
        count = int((~self._exact).sum()) if len(self._ridges.planes) else len(self._exact)
        return min(MOST_POINTS, max(LEAST_POINTS, MOST_NUMBERS // max(1, count)))

    def _learn(self, x: Floats, y: Floats, no_value: NDArray[np.bool_], rng: np.random.Generator) -> None:
        """Chooses between scales, and learns length scales and waves, from inputs x, shape (n, dim + planes), and
        observables y, shape (n, k). `no_value`, shape (m, k), as in `_scale_anew`.
        """
        assert self._values is not None
        aims = np.where(no_value.any(axis=0), np.nan, self.energy.aims)
        coding = self._coding = around_targets(self._scale, self._values, x, y, aims)

        def exact(predicted: Floats, t: Floats) -> NDArray[np.bool_]:
            return error_of(self.energy, coding, predicted, t) < LEARNED

        t = self._scales.targets(coding, self._values, x, y, rng)
        badly = self._values.learn(x, t, rng, which=~self._exact, exact=exact)
        which = ~self._exact & ~no_value.any(axis=0)
        if squared := with_squares(coding, self._values, x, y, which=which, energy=self.energy):
            self._nets.rescaled(squared.square != coding.square)
            coding = self._coding = squared
        which = (badly | self._nets.poor | (self._values.waving & ~self._exact)) & (coding.root + coding.square == 0.0)
        if linear := with_waves(coding, self._values, x, y, which, variables=self.dim, rng=rng):  # 2.9
            self._nets.rescaled(linear.width != coding.width)
            self._coding = linear

    def _condition(self, x: Floats, y: Floats, count: int, rng: np.random.Generator) -> Floats:
        """Sets the data of the processes, x and y as in `_learn`, after a comparison of scales where the processes
        predict badly. `count`: the number of all points. Returns the targets, shape (n, k).
        """
        assert self._values is not None
        before = self._scale
        t = self._scales.targets(before, self._values, x, y, rng)
        self._values.condition(x, t)
        self._coding = self._scales.better(
            before, self._values, x, y, t, poor=self._nets.poor, count=count, energy=self.energy, rng=rng
        )
        if self._coding is not before:
            self._nets.rescaled(self._coding.width != before.width)
            t = self._scales.targets(self._coding, self._values, x, y, rng)
            self._values.condition(x, t)
        return t

    def _thin(self, x: Floats, t: Floats, u: Floats, energy: Floats, rng: np.random.Generator) -> None:
        """Makes processes with a third of the data, and uses them where they predict well near the good region. The
        data are targets t, shape (n, k), at the points u with these energies and the inputs x, shape (n, dim + planes).
        """
        assert self._values is not None
        few = training_rows(u, energy, len(x) // 3, rng)
        self._rough = self._values
        if len(x) <= LEAST_POINTS // 2:
            return
        self._rough = self._values.thinned(x[few], t[few])
        near = np.setdiff1d(np.flatnonzero(energy < NEAR), few)
        predicted = self._rough.mean(torch.from_numpy(x[near])).numpy()
        self._exact = np.zeros(t.shape[1], dtype=np.bool_)
        if len(near) >= LEAST_NEAR:
            self._exact = error_of(self.energy, self._scale, predicted, t[near]) < EXACT
        self._values.replace(self._exact, self._rough)

    @property
    def _scale(self) -> Coding:
        """The scale of the processes, after the first fit."""
        assert self._coding is not None
        return self._coding

    @property
    def _seen(self) -> int:
        """The number of inputs of the regression."""
        return self.dim + len(self._ridges.planes)

    def _inputs(self, u: Floats) -> Floats:
        """The inputs of the regression, with the distances from ridges, shape (n, dim + ridges)."""
        return self._ridges(self.inputs(u))

    def _find_ridges(self, known: Known, usable: NDArray[np.int64], rng: np.random.Generator) -> bool:
        """Looks for ridges of the outputs that processes predict worst. Returns whether the inputs have changed."""
        errors = self._nets.errors
        if errors is None or len(usable) < self._ridges.next_from:
            return False
        assert self._values is not None
        before = self._ridges.planes
        # the absolute value of a root has a fold where the sign changes, which is no plane
        errors = np.where(self._scale.root > 0, 0.0, np.nan_to_num(errors))
        worst = self._ridges.worst(errors, self._nets.limit, self.by_nets, len(usable))
        t = self._scale.encode(known.values[usable])
        values, changed = self._ridges.look(self.inputs(known.u[usable]), t, self._values, worst, rng)
        if np.array_equal(before, self._ridges.planes):
            return False
        self._values = values
        if changed:
            self._nets.forget()
        return True

    def _mean(self, values: Processes, z: Tensor, given: Mapping[int, float] | None = None) -> Tensor:
        """Predicted observables, shape (n, k). `given` are outputs that have a value."""
        z, known = self._ridges.of(z), given or {}
        of_process = self._scale.decode(values.mean(z, without=known))
        mean = self._nets.mean(z, of_process, self._scale, without=known)
        for j, value in known.items():
            mean[:, j] = value
        return mean

    def _draws(self, z: Tensor, normal: Tensor, wider: float) -> Tensor:
        """Draws of the observables, shape (draws, n, k), by standard normal numbers, shape (draws, 1, k). The
        uncertainty includes the fitted noise of a process. A code has no noise, so fitted noise is an error of the
        process.
        """
        assert self._values is not None
        z = self._ridges.of(z)
        mean, deviation = self._values.predict(z)
        deviation = (deviation.square() + self._values.noise).sqrt()
        of_process = self._scale.decode(mean + wider * deviation * normal)
        return self._nets.draws(z, normal, wider, of_process, self._scale)

    def expect(self, u: Floats) -> None:
        if not self.fitted or not len(u):
            return
        assert self._values is not None
        of_process = self._scale.decode(self._values.mean(torch.from_numpy(self._inputs(u)))).numpy()
        self._nets.expect(u, of_process, self._scale)

    @torch.no_grad()
    def __call__(self, u: Tensor) -> Tensor:
        return self._predict(self._values, u)

    @torch.no_grad()
    def rough(self, u: Tensor) -> Tensor:
        """Energies from a third of the points, at a third of the cost."""
        return self._predict(self._rough, u)

    @property
    def rough_above(self) -> float:
        return 1.0 + (ROUGH_ABOVE - 1.0) * min(1.0, math.sqrt(FEW_OUTPUTS / len(self.energy.columns)))

    def _predict(self, values: Processes | None, u: Tensor) -> Tensor:
        z = torch.from_numpy(self.inputs(u.numpy()))
        return self._validity.raise_energy(self._energy(values, z), z).clamp(max=FAR)

    def _energy(self, values: Processes | None, z: Tensor, given: Mapping[int, float] | None = None) -> Tensor:
        """Energies, shape (n,). `given` are outputs that have a value."""
        assert values is not None
        mean, rest = self._mean(values, z, given), None if self._rest is None else self._rest(z)
        return self.energy(mean, torch.from_numpy(self._scale.spread), rest)

    def members(self, u: Floats) -> Floats:
        return np.asarray(self(torch.from_numpy(u)).numpy())[None]

    def others(self) -> list[Callable[[Tensor], Tensor]]:
        return []

    def probability_by_others(self, u: Floats) -> Floats:
        return np.zeros(len(u))

    @property
    def weight_of_others(self) -> float:
        return 0.0

    def beside_planes(self, known: Known) -> list[Callable[[Tensor], Tensor]]:
        if self._values is None or not self.fitted or not len(self._ridges.planes):
            return []
        of, best = self._ridges.outputs(self._values).tolist(), self.energy.best(known.values)
        return [partial(self._beside, plane, j, float(best[j])) for plane, j in enumerate(of)]

    @torch.no_grad()
    def _beside(self, plane: int, j: int, value: float, u: Tensor) -> Tensor:
        """The energy, shape (n,), close to a plane, if output j had this value."""
        z = torch.from_numpy(self.inputs(u.numpy()))
        energy = self._energy(self._rough, z, {j: value})
        return torch.maximum(energy, self._ridges.widths_from(z, plane) / BESIDE).clamp(max=FAR)

    @torch.no_grad()
    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        """The fraction of good draws among 32 draws from the uncertainty of the regression."""
        assert self._values is not None
        if not len(u):
            return np.empty(0)
        z = torch.from_numpy(self.inputs(u))
        valid = self._validity.probability(z)
        normal = torch.from_numpy(rng.standard_normal((DRAWS, 1, self._values.outputs)))
        rest = None
        if self._rest is not None:
            rest = self._rest.draws(z, torch.from_numpy(rng.standard_normal((DRAWS, len(u)))), wider)
        found = []
        for start in range(0, len(z), TOGETHER):
            rows = slice(start, start + TOGETHER)
            values = self._draws(z[rows], normal, wider).flatten(0, 1)
            good = self.energy.good(values, None if rest is None else rest[:, rows].flatten())
            found.append(good.view(DRAWS, -1).double().mean(dim=0))
        return (torch.cat(found) * valid).numpy()

    @torch.no_grad()
    def observables(self, u: Floats) -> Floats | None:
        assert self._values is not None
        return self.scaled(self._mean(self._values, torch.from_numpy(self.inputs(u))).numpy())

    def scaled(self, values: Floats) -> Floats:
        """Observables, or their logarithms if these are learned."""
        return values if self._coding is None else self._coding.scaled(values)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        arrays: dict[str, NDArray[np.float64]] = {
            "learned_from": np.array(float(self._learned_from)),
            "coded_apart": np.array(float(self._coded_apart)),
            "compared_from": np.array(float(self._scales.compared_from)),
            "exact": self._exact.astype(float),
        }
        arrays |= {f"ridges/{key}": value for key, value in self._ridges.to_arrays().items()}
        if self._values is not None:
            arrays |= {f"values/{key}": value for key, value in self._values.to_arrays().items()}
        if self._coding is not None:
            arrays |= {f"coding/{key}": value for key, value in vars(self._coding).items()}
        if self._rest is not None:
            arrays |= {f"rest/{key}": value for key, value in self._rest.to_arrays().items()}
        return arrays | self._nets.to_arrays() | self._validity.to_arrays()

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        parts = grouped(arrays)
        self._learned_from, self._coded_apart = int(arrays["learned_from"]), bool(arrays["coded_apart"])
        self._scales.compared_from = int(arrays.get("compared_from", 0))
        self._exact = arrays.get("exact", np.zeros(len(self.energy.columns))) > 0
        self._ridges.load(parts.get("ridges", {}))
        self._nets.load(arrays)
        coding = parts.get("coding", {})
        if "square" in coding:  # an older scale is chosen again
            self._coding, self._values = Coding(**coding), Processes.from_arrays(parts["values"])
        if self._rest is not None:
            self._rest.load(parts["rest"])
        self._validity.load(parts.get("validity"))
