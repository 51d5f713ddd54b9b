"""The points that LODE was told, as it needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from proposer.strategies.base import Floats, Status, Told
from proposer.strategies.lode_energy import EnergyOfNll, EnergyOfObservables
from proposer.target import NONE, in_target

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Known:
    """n points: `u` (n, d), `energy` (n,) and `plain`, which goes on falling below a band: NaN without an NLL;
    `values` (n, k): observables that matter.

    `ok`, `answered` (OK or INVALID), `unexplained` (INVALID with all its observables
    inside their windows, or without them), `good`: shape (n,). `origins`: n words.
    """

    u: Floats
    energy: Floats
    plain: Floats
    values: Floats
    ok: NDArray[np.bool_]
    answered: NDArray[np.bool_]
    unexplained: NDArray[np.bool_]
    good: NDArray[np.bool_]
    origins: NDArray[np.str_]


class Points:
    """Points in the order of their tells; columns of variables that are fixed are left out."""

    def __init__(
        self, free: NDArray[np.int64], scored: EnergyOfObservables, threshold: float, above: float = NONE
    ) -> None:
        self.good_so_far = 0
        self.disagreeing: int = 0
        """OK points whose NLL is not that of their observables, and good points that lack one."""
        self._free, self._scored = free, scored
        self._target = threshold, above
        self._energy = EnergyOfNll(threshold, above)
        k = len(scored.columns)
        self._parts: dict[str, list[NDArray[Any]]] = {
            "u": [np.empty((0, len(free)))],
            "energy": [np.empty(0)],
            "plain": [np.empty(0)],
            "values": [np.empty((0, k))],
            "ok": [np.empty(0, dtype=np.bool_)],
            "answered": [np.empty(0, dtype=np.bool_)],
            "unexplained": [np.empty(0, dtype=np.bool_)],
            "good": [np.empty(0, dtype=np.bool_)],
            "origins": [np.empty(0, dtype="<U8")],
        }

    def add(self, told: Told) -> None:
        """Takes answered points."""
        if not len(told):
            return
        ok = told.status == Status.OK
        invalid = told.status == Status.INVALID
        good = ok & in_target(told.nll, *self._target)
        plain = np.where(ok, self._energy(told.nll), np.nan)
        values = np.full((len(told), len(self._scored.columns)), np.nan)
        if self._scored.columns and told.observables.shape[1] == len(self._scored.all):
            values = told.observables[:, self._scored.columns]
            agrees = self._scored.agrees(told.observables[ok], told.nll[ok])
            self.disagreeing += int((~agrees | (good[ok] & ~np.isfinite(values[ok]).all(axis=1))).sum())
        else:
            self.disagreeing += int(ok.sum())
        explained = np.zeros(len(told), dtype=np.bool_)
        if values.shape[1]:
            explained = self._scored.outside(torch.from_numpy(values)).any(dim=1).numpy()
        new = {
            "u": told.u[:, self._free],
            "energy": self._energy.within(torch.from_numpy(plain)).numpy(),
            "plain": plain,
            "values": values,
            "ok": ok,
            "answered": ok | invalid,
            "unexplained": invalid & ~explained,
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
