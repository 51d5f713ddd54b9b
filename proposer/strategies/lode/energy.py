"""Computes an energy from observables. A point with an energy below 1 is good.

The plain energy is 1 + (NLL - threshold) / unit. The unit is the threshold if that is positive, so that the plain
energy of an NLL that starts at 0 is NLL / threshold; else the unit is 1. Below a band, the energy rises again. If the
target follows the best NLL, the best point has the plain energy 1 / 2, and lower NLLs have positive energies, so that
the search looks for them. The same holds if the NLL contains a large constant, as the χ² of a hundred measurements
does: in units of the threshold, the good region would hardly differ from all other points.
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
"""The largest relative difference between the returned NLL and the NLL of the returned observables."""
SLOPE_FROM, SLOPE = 30.0, 50.0
"""Beyond SLOPE_FROM sigmas, the energy also rises with the logarithm of their number, times SLOPE."""
_RISING = (Kind.GAUSS, Kind.UPPER, Kind.LOWER)
_ONE_SIDED = tuple(kind for kind in Kind if kind not in (Kind.OFF, Kind.GAUSS, Kind.LOG, Kind.CFUNCTION))
CONSTANT, LEAST_GOOD = 0.5, 20
"""The unit of an NLL with a large constant is twice the distance of the lowest NLL below the threshold, once LEAST_GOOD
points are good. The constant is large if this unit is at most the fraction CONSTANT of the threshold, or if good NLLs
are negative. Without this unit, a ln L with a constant of 143 and a threshold of 133 gave 364 good points among 1,140,
instead of 794.
"""
_LIKELIHOODS = (Kind.USER, Kind.EXPUSER, Kind.MINUSEXPUSER)
"""The kinds of observables that are a likelihood themselves."""
FAR = 1e9
"""The largest energy, and the energy of a prediction without a value."""


@dataclass(frozen=True)
class ScoredObservable:
    """LODE's description of an observable. A point with a value outside the closed interval `window` is INVALID (None:
    no window). `mapped` says whether the map shall be even in the observable. `term` is the joint term, if the
    observable is -ln L of others.
    """

    name: str
    likelihood: Likelihood
    window: tuple[float, float] | None = None
    mapped: bool = False
    term: Term | None = None

    @property
    def is_nll(self) -> bool:
        """Whether the observable is a likelihood itself. Its narrow valleys make it unfit for a regression."""
        return self.likelihood.kind in _LIKELIHOODS

    @property
    def is_known_term(self) -> bool:
        """Whether the observable can be computed from other observables."""
        return self.term is not None and self.term.kind is not TermKind.UNKNOWN

    @property
    def decides(self) -> bool:
        """Whether the status or NLL of a point depends on a regression of this observable. The windows of observables
        that are a likelihood themselves are left to the model of INVALID points.
        """
        return not self.is_nll and (self.likelihood.kind is not Kind.OFF or self.window is not None)


class EnergyOfNll:
    """The energy of an NLL, for a threshold or a band. `least` is the plain energy at the lower end of the band."""

    def __init__(self, target: Target) -> None:
        self.aim(target)

    def aim(self, target: Target) -> None:
        """Sets another target after a better point was found. Before the first point, the best NLL is
        assumed to be 0.
        """
        self.soft, self._target = target.follows, target
        if target.above_best is not None and target.follows:
            self.threshold = target.threshold if target.threshold > NONE else target.above_best
            self.unit, self.least = 2.0 * target.above_best, NONE
            return
        self.threshold = target.threshold
        self.unit = target.threshold if 0 < target.threshold < math.inf else 1.0
        if target.is_band and target.above < 0:  # the lower end must be above 0
            self.unit = 2.0 * (target.threshold - target.above)
        self.least = 1.0 + (target.above - target.threshold) / self.unit

    def resolve(self, nll: Floats) -> bool:
        """Sets the unit by all NLLs so far, shape (n,), NaN for a point without one, if they contain a large constant.
        Returns whether the unit has changed. It is then a power of 2, so that it seldom changes.
        """
        if self._target.follows or self._target.is_band or not math.isfinite(self.threshold):
            return False
        good, before = nll[nll < self.threshold], self.scale
        positive = self.threshold > 0
        self.unit, self.soft = self.threshold if positive else 1.0, False
        if len(good) >= LEAST_GOOD:
            unit = 2.0 * (self.threshold - float(good.min()))
            if not positive or unit <= CONSTANT * self.unit:
                self.unit, self.soft = 2.0 ** math.ceil(math.log2(max(unit, 1e-6 * self.unit))), True
        return before != self.scale

    def __call__(self, nll: Floats) -> Floats:
        return self.plain(torch.from_numpy(np.asarray(nll, dtype=np.float64))).numpy()

    def plain(self, nll: Tensor) -> Tensor:
        """The plain energy, shape unchanged, from 0 to FAR."""
        energy = 1.0 + (nll - self.threshold) / self.unit
        if self.soft:  # smooth at 1 / 2
            energy = torch.where(energy < 0.5, 0.25 / (1.0 - energy.clamp(max=0.5)), energy)
        return energy.clamp(min=0.0, max=FAR)

    @property
    def scale(self) -> tuple[float, float, bool]:
        """What plain energies depend on: the threshold, the unit, and whether they are soft."""
        return self.threshold, self.unit, self.soft

    def since(self, energy: Floats, scale: tuple[float, float, bool]) -> Floats:
        """Converts plain energies, shape unchanged, that were predicted with another `scale` to the present one."""
        if scale == self.scale:
            return energy
        threshold, unit, soft = scale
        if soft:
            low = np.maximum(np.minimum(energy, 0.5), 0.25 / FAR)
            energy = np.where(energy < 0.5, 1.0 - 0.25 / low, energy)
        return self(threshold + unit * (energy - 1.0))

    def within(self, energy: Tensor) -> Tensor:
        """The energy, shape unchanged, of plain energies. It is below 1 only in the target."""
        if self.least == NONE:
            return energy
        return torch.maximum(energy, 1.0 + (self.least - energy) / (1.0 - self.least))


class EnergyOfObservables:
    """The energy as a function of the relevant observables.

    `columns` are the positions of these k observables among all observables of the evaluator. `as_nll` are the
    positions of the other observables in the likelihood. The sum of their losses, `rest`, is learned like an NLL.
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
        """Whether a loss is monotonic, shape (k,)."""
        gauss = [(one.mean, one.sigma) if one.kind is Kind.GAUSS else (math.nan, math.nan) for one in self._likelihoods]
        self.aims = np.array(gauss, dtype=float).reshape(-1, 2).T
        """Mean and sigma of the Gaussian likelihoods, shape (2, k); NaN for other observables."""
        for term, positions in self._terms:
            for number, position in enumerate(positions):
                if self._likelihoods[position].kind is Kind.OFF:
                    self.one_sided[position] |= term.kind not in TWO_SIDED
                    if term.kind in TWO_SIDED:
                        self.aims[:, position] = term.aim(number)

    def nll(self, values: Tensor, rest: Tensor | None = None) -> Tensor:
        """The NLL, shape (n,), of values, shape (n, k), of the relevant observables, in double precision, and `rest`,
        shape (n,), the sum of the losses of observables that are likelihoods themselves.

        A loss is capped at 711, and a flat energy does not guide the search. So above the threshold, this NLL continues
        to rise with the distance of an observable from its mean in sigmas.
        """
        nll, of_terms = self._nll(values, rest)
        bad = nll > self.of_nll.threshold  # energies of good points do not change
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
        """The NLL of the likelihood, shape (n,), and the losses of the joint terms without a cap."""
        nll: Tensor = losses_and_nll(self._likelihoods, values)[1]
        of_terms = [term.nll(values[:, positions]) for term, positions in self._terms]
        for raw in of_terms:
            nll = nll + cap(raw)
        return nll if rest is None else nll + rest, of_terms

    def good(self, values: Tensor, rest: Tensor | None = None) -> Tensor:
        """Whether the energy of values, shape (n, k), is below 1, shape (n,); `rest` as in `nll`."""
        inside: Tensor = ~self.outside(values).any(dim=1)
        return inside & (self.of_nll.within(self.of_nll.plain(self._nll(values, rest)[0])) < 1.0)

    def losses(self, values: Tensor) -> Tensor:
        """The smallest loss, shape (n, k), that a value can cause, whatever the other values are: its own loss, and the
        smallest contribution of joint terms.
        """
        losses: Tensor = losses_and_nll(self._likelihoods, values)[0]
        if not self._terms:
            return losses
        columns = list(losses.unbind(dim=1))
        for term, positions in self._terms:
            for number, position in enumerate(positions):
                columns[position] = columns[position] + cap(term.least(number, values[:, position]))
        return torch.stack(columns, dim=1)

    def agreement(self, values: Floats, among: Floats | None = None) -> Floats:
        """The agreement of each value, shape (n, k), with its own target: exp(-loss / unit of energy), or 0 outside the
        window.

        It is 1 without a loss, and 1 / e where the loss alone makes a point bad. For the loss of a value in a joint
        term, the other values of the term are those of `among`, shape (n, k); None: those of `values`.
        """
        of = torch.from_numpy(values)
        losses = list(losses_and_nll(self._likelihoods, of)[0].unbind(dim=1))
        others = of if among is None else torch.from_numpy(among)
        for term, positions in self._terms:
            for number, position in enumerate(positions):
                joint = others[:, positions]
                joint[:, number] = of[:, position]
                losses[position] = losses[position] + cap(term.nll(joint))
        found = torch.exp(-torch.stack(losses, dim=1).clamp(min=0.0) / self.of_nll.unit)
        return torch.where(self.outside(of), torch.zeros_like(found), found).numpy()

    def best(self, values: Floats) -> Floats:
        """For each observable, the one of the values, shape (n, k), that agrees best with its target, shape (k,)."""
        finite = values[np.isfinite(values).all(axis=1)]
        return np.asarray(np.diagonal(finite[self.agreement(finite).argmax(axis=0)]))

    def rest(self, observables: Floats) -> Floats:
        """The sum, shape (n,), of the losses of observables that are likelihoods themselves, from all observables (n,
        m).
        """
        likelihoods = [self.all[j].likelihood for j in self.as_nll]
        return np.asarray(losses_and_nll(likelihoods, observables[:, self.as_nll])[1])

    def resolution(self, spread: Floats) -> tuple[Floats, Floats]:
        """The origin and the unit of each value, shape (k,) each: mean and sigma of the likelihood. Without a
        likelihood, these are the middle of the window and half of its width, or its only edge and `spread`, shape (k,).
        """
        middle, sigma = np.zeros(len(spread)), np.array(spread, dtype=float)
        for j, window in enumerate(self._windows):
            if window is not None and (edges := [edge for edge in window if math.isfinite(edge)]):
                middle[j] = sum(edges) / len(edges)
                sigma[j] = min(sigma[j], 0.5 * (edges[-1] - edges[0]) or math.inf)
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
        """The energy, shape (n,). A value outside its window adds 1, and its distance from the window in units of
        `spread` (k,). `rest` as in `nll`.
        """
        nll = self.nll(values, rest)
        energy = self.of_nll.within(self.of_nll.plain(nll))
        for j, window in enumerate(self._windows):
            if window is not None:
                low, high = window
                beyond = torch.maximum(low - values[:, j], values[:, j] - high)
                energy = energy + torch.where(beyond > 0, 1.0 + beyond / spread[j], torch.zeros_like(beyond))
        return torch.nan_to_num(energy, nan=FAR, posinf=FAR, neginf=FAR).clamp(max=FAR)

    def agrees(self, observables: Floats, nll: Floats) -> NDArray[np.bool_]:
        """Whether a returned NLL, shape (n,), is that of all the returned observables, shape (n, m), also if the joint
        terms are computed again.
        """
        names, terms = [observable.name for observable in self.all], [observable.term for observable in self.all]
        table = work_out(names, terms, torch.from_numpy(observables))
        computed = losses_and_nll([observable.likelihood for observable in self.all], table)[1].numpy()
        same: NDArray[np.bool_] = np.abs(computed - nll) <= AGREEMENT * np.maximum(1.0, np.abs(nll))
        return same
