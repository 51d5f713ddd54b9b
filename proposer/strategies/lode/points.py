"""The points that LODE was told, as it needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from proposer.strategies.lode.energy import EnergyOfNll, EnergyOfObservables
from proposer.target import Target
from proposer.types import Floats, Status, Told

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Known:
    """n points: `u` (n, d), `energy` (n,) and `plain`, which goes on falling below a band: NaN without an NLL; `slope`,
    the energy that goes on rising where losses are at their cap; `values` (n, k): observables that matter; `rest` (n,):
    the losses of those that are likelihoods themselves, NaN without any.

    `ok`, `answered` (OK or INVALID), `unexplained` (INVALID, and its observables do not all come back with one outside
    its window), `lacking` (OK, with observables, but without a number in one that decides), `good`: shape (n,).
    `origins`: n words.
    """

    u: Floats
    energy: Floats
    plain: Floats
    slope: Floats
    values: Floats
    rest: Floats
    ok: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    unexplained: NDArray[np.bool_]
    lacking: NDArray[np.bool_]
    good: NDArray[np.bool_]
    origins: NDArray[np.str_]


class Points:
    """Points in the order of their tells; columns of variables that are fixed are left out."""

    def __init__(self, free: NDArray[np.int64], scored: EnergyOfObservables, target: Target) -> None:
        self.good_so_far = 0
        self.disagreeing: int = 0
        """OK points whose NLL is not that of their observables, and good points that lack one that decides."""
        self.with_observables: int = 0
        """OK points that came with observables: those of an InitCSV do not."""
        self._free, self._scored = free, scored
        self._target = target
        self._energy = EnergyOfNll(target)
        k = len(scored.columns)
        self._parts: dict[str, list[NDArray[Any]]] = {
            "u": [np.empty((0, len(free)))],
            "energy": [np.empty(0)],
            "plain": [np.empty(0)],
            "slope": [np.empty(0)],
            "values": [np.empty((0, k))],
            "rest": [np.empty(0)],
            "ok": [np.empty(0, dtype=np.bool_)],
            "answered": [np.empty(0, dtype=np.bool_)],
            "unexplained": [np.empty(0, dtype=np.bool_)],
            "lacking": [np.empty(0, dtype=np.bool_)],
            "good": [np.empty(0, dtype=np.bool_)],
            "origins": [np.empty(0, dtype="<U8")],
        }

    def add(self, told: Told) -> None:
        """Takes answered points."""
        if not len(told):
            return
        ok = told.status == Status.OK
        invalid = told.status == Status.INVALID
        good = ok & self._target.contains(told.nll)
        plain = np.where(ok, self._energy(told.nll), np.nan)
        values = np.full((len(told), len(self._scored.columns)), np.nan)
        rest = np.full(len(told), np.nan)
        lacking = np.zeros(len(told), dtype=np.bool_)
        if self._scored.all and told.observables.shape[1] == len(self._scored.all):
            values = told.observables[:, self._scored.columns]
            came = ok & ~np.isnan(told.observables).all(axis=1)
            lacking = came & ~np.isfinite(values[:, self._scored.deciding]).all(axis=1)
            agrees = self._scored.agrees(told.observables[came], told.nll[came])
            self.disagreeing += int((~agrees | (good & lacking)[came]).sum())
            self.with_observables += int(came.sum())
            rest[came] = self._scored.rest(told.observables[came])
        explained = np.zeros(len(told), dtype=np.bool_)
        if values.shape[1]:  # where a code did not run the regression cannot say it: the point has no row there
            outside = self._scored.outside(torch.from_numpy(values)).any(dim=1).numpy()
            explained = outside & np.isfinite(values).all(axis=1)
        energy = self._energy.within(torch.from_numpy(plain)).numpy()
        slope = energy.copy()
        rows = np.flatnonzero(ok & np.isfinite(values).all(axis=1))
        if values.shape[1] and len(rows):
            of_rest = torch.from_numpy(np.nan_to_num(rest[rows]))
            risen = self._scored(torch.from_numpy(values[rows]), torch.ones(values.shape[1]), of_rest).numpy()
            slope[rows] = np.maximum(energy[rows], risen)
        new = {
            "u": told.u[:, self._free],
            "energy": energy,
            "plain": plain,
            "slope": slope,
            "values": values,
            "rest": rest,
            "ok": ok,
            "answered": ok | invalid,
            "unexplained": invalid & ~explained,
            "lacking": lacking,
            "good": good,
            "origins": np.array(list(told.origins), dtype="<U8"),
        }
        for name, part in new.items():
            self._parts[name].append(part)
        self.good_so_far += int(good.sum())

    def known(self) -> Known:
        """All of them."""
        for parts in self._parts.values():
            if len(parts) > 1:
                parts[:] = [np.concatenate(parts)]
        return Known(**{name: parts[0] for name, parts in self._parts.items()})
