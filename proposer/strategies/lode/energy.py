"""From observables to an energy: below 1 is good.

The plain energy is 1 + (NLL - threshold) / unit with the unit max(threshold, 1 if that is not
positive): NLL / threshold for an NLL that starts at 0. Below a band it goes up again. Where the target follows the best
NLL, that has the plain energy 1 / 2, and nothing below it is 0: a lower one is to be found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.target import NONE, Target
from proposer.types import Floats
from scanspec import Kind, Likelihood
from scanspec.likelihoods import losses_and_nll

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

AGREEMENT = 1e-9
"""Largest relative difference between the NLL that came back and that of the observables."""
SLOPE_FROM, SLOPE = 30.0, 50.0
"""From so many sigmas on (a Gaussian loses 334 there, of at most 711) the logarithm of their number counts too."""
_RISING = (Kind.GAUSS, Kind.UPPER, Kind.LOWER)
_ONE_SIDED = tuple(kind for kind in Kind if kind not in (Kind.OFF, Kind.GAUSS, Kind.LOG, Kind.CFUNCTION))
FAR = 1e9
"""The largest energy: that of a prediction without a value."""


@dataclass(frozen=True)
class ScoredObservable:
    """What LODE knows of an observable. `window`: outside it, ends included, a point is INVALID; None without one.
    `mapped`: the map shall be even in it.
    """

    name: str
    likelihood: Likelihood
    window: tuple[float, float] | None = None
    mapped: bool = False

    @property
    def decides(self) -> bool:
        """Whether a point's fate depends on it."""
        return self.likelihood.kind is not Kind.OFF or self.window is not None

    @property
    def matters(self) -> bool:
        """Whether it is to be learned."""
        return self.decides or self.mapped


class EnergyOfNll:
    """The plain energy of an NLL, shape unchanged, and that of a band; `least`: the plain energy at its lower end."""

    def __init__(self, target: Target) -> None:
        self.aim(target)

    def aim(self, target: Target) -> None:
        """Takes another target, after a better point was found; before the first one the best NLL is taken for 0."""
        self.soft = target.follows
        if target.above_best is not None and target.follows:
            self.threshold = target.threshold if target.threshold > NONE else target.above_best
            self.unit, self.least = 2.0 * target.above_best, NONE
            return
        self.threshold = target.threshold
        self.unit = target.threshold if 0 < target.threshold < math.inf else 1.0
        if target.is_band and target.above < 0:  # the lower end must be above 0
            self.unit = 2.0 * (target.threshold - target.above)
        self.least = 1.0 + (target.above - target.threshold) / self.unit

    def __call__(self, nll: Floats) -> Floats:
        return self.plain(torch.from_numpy(np.asarray(nll, dtype=np.float64))).numpy()

    def plain(self, nll: Tensor) -> Tensor:
        """The plain energy, shape unchanged, from 0 to FAR."""
        energy = 1.0 + (nll - self.threshold) / self.unit
        if self.soft:  # smooth at 1 / 2
            energy = torch.where(energy < 0.5, 0.25 / (1.0 - energy.clamp(max=0.5)), energy)
        return energy.clamp(min=0.0, max=FAR)

    def since(self, energy: Floats, threshold: float) -> Floats:
        """Plain energies, shape unchanged, that were predicted when the threshold was another one, as they are now."""
        if not self.soft or threshold == self.threshold:
            return energy
        low = np.maximum(np.minimum(energy, 0.5), 0.25 / FAR)
        return self(threshold + self.unit * (np.where(energy < 0.5, 1.0 - 0.25 / low, energy) - 1.0))

    def within(self, energy: Tensor) -> Tensor:
        """The energy, shape unchanged, of plain energies: below 1 in the target alone."""
        if self.least == NONE:
            return energy
        return torch.maximum(energy, 1.0 + (self.least - energy) / (1.0 - self.least))


class EnergyOfObservables:
    """The energy of those observables that matter."""

    def __init__(self, observables: Sequence[ScoredObservable], target: Target) -> None:
        self.all = tuple(observables)
        self.columns = [j for j, observable in enumerate(self.all) if observable.matters]
        self._used = [self.all[j] for j in self.columns]
        self.deciding = [position for position, observable in enumerate(self._used) if observable.decides]
        self.of_nll = EnergyOfNll(target)
        self.one_sided = np.array(
            [observable.likelihood.kind in _ONE_SIDED for observable in self._used], dtype=np.bool_
        )
        """Which losses rise or fall everywhere."""
        gauss = [observable.likelihood.kind is Kind.GAUSS for observable in self._used]
        aims = [(observable.likelihood.mean, observable.likelihood.sigma) for observable in self._used]
        self.aims = np.where(gauss, np.array(aims, dtype=float).reshape(-1, 2).T, np.nan)
        """Mean and sigma of the Gaussian likelihoods, shape (2, k); NaN for the others."""

    def nll(self, values: Tensor) -> Tensor:
        """The NLL, shape (n,), of values of shape (n, k), the columns that matter, in double precision.

        A loss ends at 711, and what is flat leads nowhere: above the threshold the NLL here goes on rising with the
        distance of an observable from its mean, in sigmas.
        """
        nll: Tensor = losses_and_nll([observable.likelihood for observable in self._used], values)[1]
        bad = nll > self.of_nll.threshold  # what is good stays what it is
        for j, observable in enumerate(self._used):
            m, s = observable.likelihood.mean, observable.likelihood.sigma
            if observable.likelihood.kind in _RISING:
                beyond = torch.log((values[:, j] - m).abs() / s / SLOPE_FROM).clamp(min=0.0)
                flat = (
                    beyond > 0
                    if observable.likelihood.kind is Kind.GAUSS
                    else (beyond > 0) & ((values[:, j] > m) == (observable.likelihood.kind is Kind.UPPER))
                )
                nll = nll + torch.where(flat & bad, SLOPE * beyond, torch.zeros_like(beyond))
        return nll

    def losses(self, values: Tensor) -> Tensor:
        """The loss of each value, shape (n, k), as the likelihood has it."""
        losses: Tensor = losses_and_nll([observable.likelihood for observable in self._used], values)[0]
        return losses

    def resolution(self, spread: Floats) -> tuple[Floats, Floats]:
        """What counts as a unit of each value, and from where, shape (k,) each: the likelihood's sigma, from its mean;
        without a likelihood `spread`, shape (k,)."""
        likelihoods = [observable.likelihood for observable in self._used]
        off = np.array([one.kind is Kind.OFF or not one.sigma > 0 for one in likelihoods], dtype=np.bool_)
        middle = np.array([0.0 if without else one.mean for one, without in zip(likelihoods, off, strict=True)])
        sigma = np.array([1.0 if without else one.sigma for one, without in zip(likelihoods, off, strict=True)])
        return middle, np.where(off, spread, sigma)

    def outside(self, values: Tensor) -> Tensor:
        """Whether a value is outside its window, shape (n, k); NaN is no value and not outside."""
        return torch.stack(
            [
                torch.zeros_like(values[:, j], dtype=torch.bool)
                if observable.window is None
                else (values[:, j] < observable.window[0]) | (values[:, j] > observable.window[1])
                for j, observable in enumerate(self._used)
            ],
            dim=1,
        )

    def __call__(self, values: Tensor, spread: Tensor) -> Tensor:
        """The energy, shape (n,); a value outside its window adds 1 and its distance in units of `spread` (k,)."""
        nll = self.nll(values)
        energy = self.of_nll.within(self.of_nll.plain(nll))
        for j, observable in enumerate(self._used):
            if observable.window is not None:
                low, high = observable.window
                beyond = torch.maximum(low - values[:, j], values[:, j] - high)
                energy = energy + torch.where(beyond > 0, 1.0 + beyond / spread[j], torch.zeros_like(beyond))
        return torch.nan_to_num(energy, nan=FAR, posinf=FAR, neginf=FAR).clamp(max=FAR)

    def agrees(self, observables: Floats, nll: Floats) -> NDArray[np.bool_]:
        """Which returned NLLs, shape (n,), are those of the observables, shape (n, m), all of them."""
        computed = losses_and_nll([observable.likelihood for observable in self.all], torch.from_numpy(observables))[
            1
        ].numpy()
        same: NDArray[np.bool_] = np.abs(computed - nll) <= AGREEMENT * np.maximum(1.0, np.abs(nll))
        return same
