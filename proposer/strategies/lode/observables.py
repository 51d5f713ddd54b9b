"""The model with which LODE learns observables: Gaussian processes (`process.py`).

Observables are smooth even if the NLL has narrow valleys, and the exact likelihood turns predictions into energies. An
output that the process predicts badly, for example at a resonance or a step, is predicted by networks (`regress.py`) if
their predictions of the newest points were better. Then planes at which it changes abruptly are looked for
(`ridges.py`). Observables that are a likelihood themselves are learned like an NLL (`rest.py`).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.apart import alone, without_physics
from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.either import around_targets
from proposer.strategies.lode.energy import FAR, EnergyOfObservables
from proposer.strategies.lode.misses import error_of, miss
from proposer.strategies.lode.plain import Scales
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.record import Record
from proposer.strategies.lode.regress import Regression
from proposer.strategies.lode.rest import Rest
from proposer.strategies.lode.ridges import Ridges
from proposer.strategies.lode.sample import ROUGH_ABOVE
from proposer.strategies.lode.surrogate import LEARN_AGAIN, grouped
from proposer.strategies.lode.train import training_rows
from proposer.strategies.lode.validity import Validity
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
MOST_BY_NETS = 4000
"""The largest number of points from which networks learn."""
ENOUGH, BAD, BETTER, STILL, CLEARLY = 100, 0.1, 0.9, 0.25, 0.5
"""When networks learn and predict, beside the processes. An error is one in the agreement with the target, from 0 to 1.

Networks learn with at least ENOUGH points, if the error of a process is above BAD / sqrt(k), because the errors of k
outputs add up. They predict an output if their mean square error is below BETTER times that of the process. With
BETTER = 1.5, they replaced processes that were still learning, and toy3d_thin took an eighth more evaluations.

Networks predict an output until the mean square error of its process is below STILL times BAD^2 / k, or below CLEARLY
times their own. Networks choose the points by which they are judged, and so seem worse than they are. With
CLEARLY = 0.9, a process took over on dipole4d (seed 3), and the fraction of good points among the exploiting ones fell
from a half to a sixth.
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
        self._values: Processes | None = None
        self._rough: Processes | None = None
        self._nets: Regression | None = None
        self._record: Record | None = None
        self._nets_seen = 0  # the number of points at the last training of the networks
        self._rest = Rest(dim, energy.of_nll, inputs) if energy.as_nll else None
        self._validity = Validity(dim, inputs)
        self._learned_from = 0
        self._exact = np.zeros(len(energy.columns), dtype=np.bool_)  # whether few points predict an output well
        self.by_nets: NDArray[np.bool_] = np.zeros(len(energy.columns), dtype=np.bool_)
        """Whether networks predict an output, shape (k,)."""
        self._poor = self.by_nets.copy()  # whether the process of an output predicts badly
        self._scales = Scales(dim)
        self._coded_apart = False  # whether points without physics were left out of the scale

    @property
    def fitted(self) -> bool:
        return self._values is not None and self._values.conditioned

    @property
    def patience(self) -> float:
        return PATIENCE

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        y = known.values
        usable = np.flatnonzero(np.isfinite(y).all(axis=1) & known.answered)
        least = min(10, 2 + self.dim)
        if len(usable) < least:
            return
        usable, bad, no_value = without_physics(self.energy, y, usable, least)
        apart = np.isin(np.arange(len(y)), bad)
        far = self._coding is not None and self._coding.left_by(y[usable][~no_value.any(axis=1)])
        if self._coding is None or self._values is None or far or self._coded_apart != apart.any():
            self._coding = Coding.of(y[usable], alone(no_value, y[usable]))
            self._coded_apart = bool(apart.any())
            self._values, self._nets = Processes(self._seen, y.shape[1]), None
            self.by_nets = np.zeros(y.shape[1], dtype=np.bool_)
            if self._record is not None:
                self._record.errors[1] = np.nan  # those of the old networks say nothing about new ones
            self._exact = np.zeros(y.shape[1], dtype=np.bool_)
            self._learned_from = self._scales.compared_from = 0
        again = len(usable) >= LEARN_AGAIN * self._learned_from
        count = int((~self._exact).sum()) if len(self._ridges.planes) else y.shape[1]
        most = min(MOST_POINTS, max(LEAST_POINTS, MOST_NUMBERS // max(1, count)))
        rows = usable[training_rows(known.u[usable], known.energy[usable], most, rng)]
        again |= self._find_ridges(known, usable, rng)
        x = self._inputs(known.u[rows])
        if again:
            aims = np.where(no_value.any(axis=0), np.nan, self.energy.aims)
            self._coding = around_targets(self._coding, self._values, x, y[rows], aims)
        t = self._scales.targets(self._coding, self._values, x, y[rows], rng)
        if again:
            error = partial(error_of, self.energy, self._coding)
            self._values.learn(x, t, rng, which=~self._exact, exact=lambda mean, of: error(mean, of) < LEARNED)
            self._learned_from = len(usable)
        self._values.condition(x, t)
        coding = self._scales.better(
            self._coding, self._values, x, y[rows], t, poor=self._poor, count=len(usable), energy=self.energy, rng=rng
        )
        if coding is not self._coding:
            if self._record is not None:
                self._record.forget(0, coding.width != self._coding.width)  # the process is another one
            self._coding, self._nets = coding, None
            t = self._scales.targets(coding, self._values, x, y[rows], rng)
            self._values.condition(x, t)
        few = training_rows(known.u[rows], known.energy[rows], len(rows) // 3, rng)
        self._rough = self._values
        if len(rows) > LEAST_POINTS // 2:
            self._rough = self._values.thinned(x[few], t[few])
            near = np.setdiff1d(np.flatnonzero(known.energy[rows] < NEAR), few)
            predicted = self._rough.mean(torch.from_numpy(x[near])).numpy()
            self._exact = np.zeros(y.shape[1], dtype=np.bool_)
            if len(near) >= LEAST_NEAR:
                self._exact = error_of(self.energy, self._coding, predicted, t[near]) < EXACT
            self._values.replace(self._exact, self._rough)
        self._fit_nets(known, usable, rng)
        if self._rest is not None:
            self._rest.fit(known, rng)
        valid = known.ok & ~known.lacking & ~apart
        invalid = known.unexplained | known.lacking | apart
        self._validity.fit(known, valid, invalid, rng, most=most // 2, again=again)

    @property
    def _seen(self) -> int:
        """The number of inputs of the regression."""
        return self.dim + len(self._ridges.planes)

    def _inputs(self, u: Floats) -> Floats:
        """The inputs of the regression, with the distances from ridges, shape (n, dim + ridges)."""
        return self._ridges(self.inputs(u))

    def _find_ridges(self, known: Known, usable: NDArray[np.int64], rng: np.random.Generator) -> bool:
        """Looks for ridges of the outputs that processes predict worst. Returns whether the inputs have changed."""
        if self._record is None or len(usable) < self._ridges.next_from:
            return False
        assert self._coding is not None
        # the absolute value of a root has a fold where the sign changes, which is no plane
        errors = np.where(self._coding.root > 0, 0.0, np.nan_to_num(self._record.errors[0]))
        before = self._ridges.planes
        worst = self._ridges.worst(errors, BAD**2 / len(errors), self.by_nets, len(usable))
        assert self._values is not None
        t = self._coding.encode(known.values[usable])
        values, changed = self._ridges.look(self.inputs(known.u[usable]), t, self._values, worst, rng)
        if np.array_equal(before, self._ridges.planes):
            return False
        self._values = values
        if changed:
            self._nets = None
        return True

    def _fit_nets(self, known: Known, usable: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Compares predictions with the results. Networks learn the outputs that a process predicts badly."""
        if self._record is None:
            return
        assert self._coding is not None
        self._record.compare(known.u, known.values, partial(miss, self.energy, self._coding))
        process, nets = self._record.errors
        limit = BAD**2 / len(process)
        with np.errstate(invalid="ignore"):  # NaN before the first comparison
            bad, self._poor = process > limit, process > STILL * limit
            stay = self.by_nets & (CLEARLY * nets < process)
            self.by_nets = self._poor & (stay | (bad & (nets < BETTER * process)))
        if len(usable) < ENOUGH or not (self._poor if self._nets else bad).any():
            return
        random = torch.Generator().manual_seed(int(rng.integers(2**63)))
        self._nets = self._nets or Regression(self.dim, known.values.shape[1], len(self._ridges.planes))
        new = usable[usable >= self._nets_seen]
        self._nets_seen = len(known.u)
        self._nets.judge(self._inputs(known.u[new]), self._resolved.encode(known.values[new]))
        rows = usable[training_rows(known.u[usable], known.energy[usable], MOST_BY_NETS, rng)]
        energy = np.nan_to_num(known.energy[rows], nan=FAR, posinf=FAR)
        for _ in range(1 if self._nets.learned else 2):  # new ones are used at once
            self._nets.learn(self._inputs(known.u[rows]), self._resolved.encode(known.values[rows]), energy, random)

    @property
    def _resolved(self) -> Coding:
        """The transformation of observables to the targets of the networks."""
        assert self._coding is not None
        return self._coding.resolving(*self.energy.resolution(self._coding.spread))

    def _mean(self, values: Processes, z: Tensor, given: Mapping[int, float] | None = None) -> Tensor:
        """Predicted observables, shape (n, k). `given` are outputs that have a value."""
        assert self._coding is not None
        z, known = self._ridges.of(z), given or {}
        mean = self._coding.decode(values.mean(z, without=known))
        if self._nets is not None and np.delete(self.by_nets, list(known)).any():
            mean = torch.where(torch.from_numpy(self.by_nets), self._resolved.decode(self._nets.mean(z)), mean)
        for j, value in known.items():
            mean[:, j] = value
        return mean

    def _draws(self, z: Tensor, normal: Tensor, wider: float) -> Tensor:
        """Draws of the observables, shape (draws, n, k), by standard normal numbers, shape (draws, 1, k). The
        uncertainty includes the fitted noise of a process. A code has no noise, so fitted noise is an error of the
        process.
        """
        assert self._values is not None
        assert self._coding is not None
        z = self._ridges.of(z)
        mean, deviation = self._values.predict(z)
        deviation = (deviation.square() + self._values.noise).sqrt()
        values = self._coding.decode(mean + wider * deviation * normal)
        if self._nets is not None and self.by_nets.any():
            of_nets = self._resolved.decode(self._nets.draws(z, normal, wider))
            values = torch.where(torch.from_numpy(self.by_nets), of_nets, values)
        return values

    def expect(self, u: Floats) -> None:
        if not self.fitted or not len(u):
            return
        assert self._values is not None
        assert self._coding is not None
        z = torch.from_numpy(self._inputs(u))
        models = [self._coding.decode(self._values.mean(z)).numpy()]
        models.append(np.full_like(models[0], np.nan))
        if self._nets is not None:
            models[1] = self._resolved.decode(self._nets.mean(z)).numpy()
        self._record = self._record or Record(u.shape[1], models[0].shape[1])
        self._record.expect(u, np.stack(models, axis=1))

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
        assert self._coding is not None
        mean = self._mean(values, z, given)
        return self.energy(mean, torch.from_numpy(self._coding.spread), None if self._rest is None else self._rest(z))

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
            "nets_seen": np.array(float(self._nets_seen)),
            "exact": self._exact.astype(float),
            "by_nets": self.by_nets.astype(float),
            "poor": self._poor.astype(float),
        }
        arrays |= {f"ridges/{key}": value for key, value in self._ridges.to_arrays().items()}
        if self._values is not None:
            arrays |= {f"values/{key}": value for key, value in self._values.to_arrays().items()}
        if self._coding is not None:
            arrays |= {f"coding/{key}": value for key, value in vars(self._coding).items()}
        for name, part in (("nets", self._nets), ("record", self._record), ("rest", self._rest)):
            if part is not None:
                arrays |= {f"{name}/{key}": value for key, value in part.to_arrays().items()}
        return arrays | self._validity.to_arrays()

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        parts = grouped(arrays)
        self._learned_from, self._coded_apart = int(arrays["learned_from"]), bool(arrays["coded_apart"])
        self._scales.compared_from = int(arrays.get("compared_from", 0))
        self._nets_seen = int(arrays.get("nets_seen", 0))
        self._ridges.load(parts.get("ridges", {}))
        none = np.zeros(len(self.energy.columns))
        self._exact, self.by_nets = arrays.get("exact", none) > 0, arrays.get("by_nets", none) > 0
        self._poor = arrays.get("poor", none) > 0
        coding = parts.get("coding", {})
        self._coding = Coding(**coding) if "root" in coding else None  # an older one is computed again
        self._values = Processes.from_arrays(parts["values"]) if "values" in parts else None
        # networks of an older lodescan are trained again
        self._nets = Regression.from_arrays(parts["nets"]) if "born" in parts.get("nets", {}) else None
        self._record = Record.from_arrays(parts["record"]) if "record" in parts else None
        if self._rest is not None:
            self._rest.load(parts["rest"])
        self._validity.load(parts.get("validity"))
