"""The evaluated points in the form that LODE needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from proposer.strategies.base import judged
from proposer.strategies.lode.energy import EnergyOfObservables
from proposer.target import Found, Target
from proposer.types import Floats, Status, Told

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Known:
    """n evaluated points."""

    u: Floats
    """The free variables in the unit cube, shape (n, d)."""
    nll: Floats
    """NLLs, shape (n,), NaN without one."""
    energy: Floats
    """Energies, shape (n,); below 1 for good points, NaN without an NLL."""
    plain: Floats
    """Plain energies, shape (n,), which continue to fall below a band; NaN without an NLL."""
    rising: Floats
    """Energies, shape (n,), which continue to rise where a loss has reached its cap; NaN without an NLL."""
    values: Floats
    """The relevant observables, shape (n, k)."""
    rest: Floats
    """The sum of the losses of observables that are likelihoods themselves, shape (n,); NaN without observables."""
    ok: NDArray[np.bool_]
    """Whether the status is OK, shape (n,)."""
    answered: NDArray[np.bool_]
    """Whether the status is OK or INVALID, shape (n,)."""
    unexplained: NDArray[np.bool_]
    """Whether a point is INVALID for a reason that its observables do not show, shape (n,): one of them is missing, or
    all are in their windows.
    """
    lacking: NDArray[np.bool_]
    """Whether a point is OK and has observables, but lacks a deciding one, shape (n,)."""
    good: NDArray[np.bool_]
    """Whether the NLL meets the present target, shape (n,)."""
    origins: NDArray[np.str_]
    """The part of the search that chose each point, shape (n,)."""

    @property
    def invalid(self) -> NDArray[np.bool_]:
        """Whether the status is INVALID, shape (n,)."""
        return self.answered & ~self.ok

    @property
    def evaluated(self) -> int:
        """The number of points from an evaluator, without rows of an InitCSV that came with their NLL."""
        return int(np.count_nonzero(self.origins != "init"))


class Points:
    """Points in the order of their results, without the columns of fixed variables.

    If the target follows the best NLL, a better point moves the threshold of `scored`, and so changes the energies and
    labels of all points. So does a new unit of energy.
    """

    def __init__(self, free: NDArray[np.int64], scored: EnergyOfObservables, target: Target) -> None:
        self.with_observables: int = 0
        """The number of OK points with observables. Points of an InitCSV have none."""
        self._free, self._scored = free, scored
        self._found = Found(target)
        k = len(scored.columns)
        self._parts: dict[str, list[NDArray[Any]]] = {
            "u": [np.empty((0, len(free)))],
            "nll": [np.empty(0)],
            "energy": [np.empty(0)],
            "plain": [np.empty(0)],
            "rising": [np.empty(0)],
            "values": [np.empty((0, k))],
            "rest": [np.empty(0)],
            "ok": [np.empty(0, dtype=np.bool_)],
            "answered": [np.empty(0, dtype=np.bool_)],
            "unexplained": [np.empty(0, dtype=np.bool_)],
            "lacking": [np.empty(0, dtype=np.bool_)],
            "differs": [np.empty(0, dtype=np.bool_)],
            "good": [np.empty(0, dtype=np.bool_)],
            "origins": [np.empty(0, dtype="<U8")],
        }

    @property
    def good_so_far(self) -> int:
        """The number of good points, by the present target."""
        return self._found.good

    @property
    def disagreeing(self) -> int:
        """The number of OK points whose NLL is not that of their observables, plus the number of good points that lack
        a deciding observable.
        """
        self._join()
        differs, good, lacking = (self._parts[name][0] for name in ("differs", "good", "lacking"))
        return int((differs | (good & lacking)).sum())

    def add(self, told: Told) -> None:
        """Adds points with their results."""
        if not len(told):
            return
        ok = told.status == Status.OK
        invalid = told.status == Status.INVALID
        values = np.full((len(told), len(self._scored.columns)), np.nan)
        rest = np.full(len(told), np.nan)
        lacking, differs = np.zeros((2, len(told)), dtype=np.bool_)
        if self._scored.all and told.observables.shape[1] == len(self._scored.all):
            values = told.observables[:, self._scored.columns]
            came = ok & ~np.isnan(told.observables).all(axis=1)
            lacking = came & ~np.isfinite(values[:, self._scored.deciding]).all(axis=1)
            differs[came] = ~self._scored.agrees(told.observables[came], told.nll[came])
            self.with_observables += int(came.sum())
            rest[came] = self._scored.rest(told.observables[came])
        explained = np.zeros(len(told), dtype=np.bool_)
        if values.shape[1]:  # a point of which a code did not run has no row, and cannot be learned
            outside = self._scored.outside(torch.from_numpy(values)).any(dim=1).numpy()
            explained = outside & np.isfinite(values).all(axis=1)
        nll = judged(told)
        if moved := self._found.add(nll.tolist()):
            self._scored.of_nll.aim(self._found.target)
        moved |= self._scored.of_nll.resolve(np.concatenate([*self._parts["nll"], nll]))
        new = {
            "u": told.u[:, self._free],
            "nll": nll,
            "values": values,
            "rest": rest,
            "ok": ok,
            "answered": ok | invalid,
            "unexplained": invalid & ~explained,
            "lacking": lacking,
            "differs": differs,
            "origins": np.array(list(told.origins), dtype="<U8"),
            **self._labels(nll, values, rest),
        }
        for name, part in new.items():
            self._parts[name].append(part)
        if moved:
            self._join()
            labels = self._labels(*(self._parts[name][0] for name in ("nll", "values", "rest")))
            self._parts |= {name: [part] for name, part in labels.items()}

    def _labels(self, nll: Floats, values: Floats, rest: Floats) -> dict[str, NDArray[Any]]:
        """Energies and labels (good or not) by the present target, from NLLs, shape (n,), observables (n, k), and
        losses that are learned like an NLL, shape (n,).
        """
        plain = self._scored.of_nll(nll)
        energy = self._scored.of_nll.within(torch.from_numpy(plain)).numpy()
        rising = energy.copy()
        rows = np.flatnonzero(np.isfinite(nll) & np.isfinite(values).all(axis=1))
        if values.shape[1] and len(rows):
            of_rest = torch.from_numpy(np.nan_to_num(rest[rows]))
            without_caps = self._scored(torch.from_numpy(values[rows]), torch.ones(values.shape[1]), of_rest).numpy()
            rising[rows] = np.maximum(energy[rows], without_caps)
        return {"plain": plain, "energy": energy, "rising": rising, "good": self._found.target.contains(nll)}

    def _join(self) -> None:
        for parts in self._parts.values():
            if len(parts) > 1:
                parts[:] = [np.concatenate(parts)]

    def known(self) -> Known:
        """All points."""
        self._join()
        return Known(**{name: parts[0] for name, parts in self._parts.items() if name != "differs"})
