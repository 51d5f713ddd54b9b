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
from scanspec.likelihoods import cap, losses_and_nll
from scanspec.terms import TWO_SIDED, Term, TermKind, work_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

AGREEMENT = 1e-9
"""Largest relative difference between the NLL that came back and that of the observables."""
SLOPE_FROM, SLOPE = 30.0, 50.0
"""From so many sigmas on (a Gaussian loses 334 there, of at most 711) the logarithm of their number counts too."""
_RISING = (Kind.GAUSS, Kind.UPPER, Kind.LOWER)
_ONE_SIDED = tuple(kind for kind in Kind if kind not in (Kind.OFF, Kind.GAUSS, Kind.LOG, Kind.CFUNCTION))
_LIKELIHOODS = (Kind.USER, Kind.EXPUSER, Kind.MINUSEXPUSER)
"""Of observables that are a likelihood themselves."""
FAR = 1e9
"""The largest energy: that of a prediction without a value."""


@dataclass(frozen=True)
class ScoredObservable:
    """What LODE knows of an observable. `window`: outside it, ends included, a point is INVALID; None without one.
    `mapped`: the map shall be even in it. `term`: what it is a function of, where it is -ln L of others.
    """

    name: str
    likelihood: Likelihood
    window: tuple[float, float] | None = None
    mapped: bool = False
    term: Term | None = None

    @property
    def is_nll(self) -> bool:
        """Whether it is a likelihood itself: with a narrow valley, which no regression likes."""
        return self.likelihood.kind in _LIKELIHOODS

    @property
    def is_known_term(self) -> bool:
        """Whether it follows from other observables."""
        return self.term is not None and self.term.kind is not TermKind.UNKNOWN

    @property
    def decides(self) -> bool:
        """Whether a point's fate depends on a regression of it. Windows of what is a likelihood itself are left to the
        model of what is INVALID."""
        return not self.is_nll and (self.likelihood.kind is not Kind.OFF or self.window is not None)


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
    """The energy of those observables that matter.

    `columns`: positions of these among all that the evaluator gives, k of them. `as_nll`: positions of the others that
    are in the likelihood, whose losses together, `rest`, are learned as an NLL is.
    """

    def __init__(self, observables: Sequence[ScoredObservable], target: Target) -> None:
        self.all = tuple(observables)
        known = [observable.term for observable in self.all if observable.term is not None and observable.is_known_term]
        behind = {name for term in known for name in term.observables}
        self.columns = [
            j
            for j, observable in enumerate(self.all)
            if observable.decides or observable.mapped or observable.name in behind
        ]
        self.as_nll = [j for j, observable in enumerate(self.all) if observable.is_nll and not observable.is_known_term]
        used = [self.all[j] for j in self.columns]
        self.deciding = [
            position for position, observable in enumerate(used) if observable.decides or observable.name in behind
        ]
        self.of_nll = EnergyOfNll(target)
        self._likelihoods = [Likelihood() if observable.is_nll else observable.likelihood for observable in used]
        self._windows = [None if observable.is_nll else observable.window for observable in used]
        column_of = {observable.name: position for position, observable in enumerate(used)}
        self._terms = [(term, [column_of[name] for name in term.observables]) for term in known]
        self.one_sided = np.array([likelihood.kind in _ONE_SIDED for likelihood in self._likelihoods], dtype=np.bool_)
        """Which losses rise or fall everywhere."""
        gauss = [(one.mean, one.sigma) if one.kind is Kind.GAUSS else (math.nan, math.nan) for one in self._likelihoods]
        self.aims = np.array(gauss, dtype=float).reshape(-1, 2).T
        """Mean and sigma of the Gaussian likelihoods, shape (2, k); NaN for the others."""
        for term, positions in self._terms:
            for number, position in enumerate(positions):
                if self._likelihoods[position].kind is Kind.OFF:
                    self.one_sided[position] |= term.kind not in TWO_SIDED
                    if term.kind in TWO_SIDED:
                        self.aims[:, position] = term.aim(number)

    def nll(self, values: Tensor, rest: Tensor | None = None) -> Tensor:
        """The NLL, shape (n,), of values of shape (n, k), the columns that matter, in double precision, and `rest`,
        shape (n,), the losses of those that are likelihoods themselves.

        A loss ends at 711, and what is flat leads nowhere: above the threshold the NLL here goes on rising with the
        distance of an observable from its mean, in sigmas.
        """
        nll, of_terms = self._nll(values, rest)
        bad = nll > self.of_nll.threshold  # good energies stay as they are
        for j, likelihood in enumerate(self._likelihoods):
            m, s = likelihood.mean, likelihood.sigma
            if likelihood.kind in _RISING:
                beyond = torch.log((values[:, j] - m).abs() / s / SLOPE_FROM).clamp(min=0.0)
                flat = (
                    beyond > 0
                    if likelihood.kind is Kind.GAUSS
                    else (beyond > 0) & ((values[:, j] > m) == (likelihood.kind is Kind.UPPER))
                )
                nll = nll + torch.where(flat & bad, SLOPE * beyond, torch.zeros_like(beyond))
        for raw in of_terms:
            beyond = torch.log((2.0 * raw.clamp(min=0.0)).sqrt() / SLOPE_FROM).clamp(min=0.0)
            nll = nll + torch.where(bad, SLOPE * beyond, torch.zeros_like(beyond))
        return nll

    def _nll(self, values: Tensor, rest: Tensor | None) -> tuple[Tensor, list[Tensor]]:
        """The NLL as the likelihood has it, shape (n,), and what each term adds before it is capped."""
        nll: Tensor = losses_and_nll(self._likelihoods, values)[1]
        of_terms = [term.nll(values[:, positions]) for term, positions in self._terms]
        for raw in of_terms:
            nll = nll + cap(raw)
        return nll if rest is None else nll + rest, of_terms

    def good(self, values: Tensor, rest: Tensor | None = None) -> Tensor:
        """Whether the energy is below 1, shape (n,), of values of shape (n, k); `rest`: as in `nll`."""
        inside: Tensor = ~self.outside(values).any(dim=1)
        return inside & (self.of_nll.within(self.of_nll.plain(self._nll(values, rest)[0])) < 1.0)

    def losses(self, values: Tensor) -> Tensor:
        """The loss that each value, shape (n, k), has in any case, whatever the others are: as the likelihood has it,
        and the least that the terms add."""
        losses: Tensor = losses_and_nll(self._likelihoods, values)[0]
        if not self._terms:
            return losses
        columns = list(losses.unbind(dim=1))
        for term, positions in self._terms:
            for number, position in enumerate(positions):
                columns[position] = columns[position] + cap(term.least(number, values[:, position]))
        return torch.stack(columns, dim=1)

    def rest(self, observables: Floats) -> Floats:
        """The sum of the losses, shape (n,), of those that are likelihoods themselves, of all observables (n, m)."""
        likelihoods = [self.all[j].likelihood for j in self.as_nll]
        return np.asarray(losses_and_nll(likelihoods, observables[:, self.as_nll])[1])

    def resolution(self, spread: Floats) -> tuple[Floats, Floats]:
        """What counts as a unit of each value, and from where, shape (k,) each: the likelihood's sigma, from its mean;
        without a likelihood `spread`, shape (k,)."""
        middle, sigma = np.zeros(len(spread)), np.array(spread, dtype=float)
        for term, positions in self._terms:
            for number, position in enumerate(positions):
                mean, width = term.aim(number)
                if width > 0:
                    middle[position], sigma[position] = mean, width
        for j, one in enumerate(self._likelihoods):
            if one.kind is not Kind.OFF and one.sigma > 0:
                middle[j], sigma[j] = one.mean, one.sigma
        return middle, sigma

    def outside(self, values: Tensor) -> Tensor:
        """Whether a value is outside its window, shape (n, k); NaN is not outside."""
        return torch.stack(
            [
                torch.zeros_like(values[:, j], dtype=torch.bool)
                if window is None
                else (values[:, j] < window[0]) | (values[:, j] > window[1])
                for j, window in enumerate(self._windows)
            ],
            dim=1,
        )

    def __call__(self, values: Tensor, spread: Tensor, rest: Tensor | None = None) -> Tensor:
        """The energy, shape (n,); a value outside its window adds 1 and its distance in units of `spread` (k,).
        `rest`: as in `nll`."""
        nll = self.nll(values, rest)
        energy = self.of_nll.within(self.of_nll.plain(nll))
        for j, window in enumerate(self._windows):
            if window is not None:
                low, high = window
                beyond = torch.maximum(low - values[:, j], values[:, j] - high)
                energy = energy + torch.where(beyond > 0, 1.0 + beyond / spread[j], torch.zeros_like(beyond))
        return torch.nan_to_num(energy, nan=FAR, posinf=FAR, neginf=FAR).clamp(max=FAR)

    def agrees(self, observables: Floats, nll: Floats) -> NDArray[np.bool_]:
        """Which returned NLLs, shape (n,), are those of the observables, shape (n, m), all of them, also where -ln L of
        a term is worked out anew."""
        names, terms = [observable.name for observable in self.all], [observable.term for observable in self.all]
        table = work_out(names, terms, torch.from_numpy(observables))
        computed = losses_and_nll([observable.likelihood for observable in self.all], table)[1].numpy()
        same: NDArray[np.bool_] = np.abs(computed - nll) <= AGREEMENT * np.maximum(1.0, np.abs(nll))
        return same
