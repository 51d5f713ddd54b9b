"""Networks that predict observables in place of Gaussian processes that predict them badly.

Predictions of requested points are stored, and compared with the results. If the process of an observable fails, for
example at a resonance or a step, networks (`regress.py`) learn all observables. They predict an observable if their
predictions of the newest points were better.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.energy import FAR, EnergyOfObservables
from proposer.strategies.lode.misses import miss
from proposer.strategies.lode.record import Record
from proposer.strategies.lode.regress import Regression
from proposer.strategies.lode.surrogate import grouped
from proposer.strategies.lode.train import training_rows
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.coding import Coding
    from proposer.strategies.lode.points import Known

MOST_POINTS = 4000
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


class ByNets:
    """Networks of k observables, and which of the observables they predict.

    `inputs` maps u, shape (n, d), to the inputs of the networks, shape (n, dim + planes). `coding` is always the scale
    of the processes; that of the networks follows from it.
    """

    def __init__(self, dim: int, energy: EnergyOfObservables, inputs: Callable[[Floats], Floats]) -> None:
        self._dim, self._energy, self._inputs = dim, energy, inputs
        self._outputs = len(energy.columns)
        self.which: NDArray[np.bool_] = np.zeros(self._outputs, dtype=np.bool_)
        """Whether networks predict an observable, shape (k,)."""
        self.poor = self.which.copy()
        """Whether the process of an observable predicts badly, shape (k,)."""
        self._nets: Regression | None = None
        self._record: Record | None = None
        self._seen = 0  # the number of points at the last training

    @property
    def errors(self) -> Floats | None:
        """The mean square errors of the processes, shape (k,), NaN before the first comparison; None before the first
        prediction.
        """
        return None if self._record is None else self._record.errors[0]

    @property
    def limit(self) -> float:
        """The mean square error above which the prediction of an observable is bad."""
        return BAD**2 / self._outputs

    def forget(self) -> None:
        """New networks are trained, because the inputs have changed."""
        self._nets = None

    def rescaled(self, outputs: NDArray[np.bool_]) -> None:
        """The processes of some observables, shape (k,), have another scale. Their errors say nothing about it, and new
        networks are trained.
        """
        self._nets = None
        if self._record is not None:
            self._record.forget(0, outputs)

    def begin_again(self) -> None:
        """The processes predict all observables until new networks are better."""
        self._nets = None
        self.which = np.zeros(self._outputs, dtype=np.bool_)
        if self._record is not None:
            self._record.errors[1] = np.nan  # those of the old networks say nothing about new ones

    def expect(self, u: Floats, of_process: Floats, coding: Coding) -> None:
        """Stores the predictions for points u, shape (n, d), that are now requested. `of_process`: those of the
        processes, shape (n, k).
        """
        of_nets = np.full_like(of_process, np.nan)
        if self._nets is not None:
            of_nets = self._scale(coding).decode(self._nets.mean(torch.from_numpy(self._inputs(u)))).numpy()
        self._record = self._record or Record(u.shape[1], self._outputs)
        self._record.expect(u, np.stack([of_process, of_nets], axis=1))

    def fit(self, known: Known, usable: NDArray[np.int64], coding: Coding, rng: np.random.Generator) -> None:
        """Compares predictions with the results. If the process of an observable predicts badly, networks learn from
        the points at the positions `usable`.
        """
        if self._record is None:
            return
        self._record.compare(known.u, known.values, partial(miss, self._energy, coding))
        process, nets = self._record.errors
        with np.errstate(invalid="ignore"):  # NaN before the first comparison
            bad, self.poor = process > self.limit, process > STILL * self.limit
            stay = self.which & (CLEARLY * nets < process)
            self.which = self.poor & (stay | (bad & (nets < BETTER * process)))
        if len(usable) >= ENOUGH and (self.poor if self._nets else bad).any():
            self._learn(known, usable, self._scale(coding), rng)

    def _learn(self, known: Known, usable: NDArray[np.int64], scale: Coding, rng: np.random.Generator) -> None:
        random = torch.Generator().manual_seed(int(rng.integers(2**63)))
        new = usable[usable >= self._seen]
        x = self._inputs(known.u[new])
        self._nets = self._nets or Regression(self._dim, self._outputs, x.shape[1] - self._dim)
        self._nets.judge(x, scale.encode(known.values[new]))
        self._seen = len(known.u)
        rows = usable[training_rows(known.u[usable], known.energy[usable], MOST_POINTS, rng)]
        x, t = self._inputs(known.u[rows]), scale.encode(known.values[rows])
        energy = np.nan_to_num(known.energy[rows], nan=FAR, posinf=FAR)
        for _ in range(1 if self._nets.learned else 2):  # new ones are used at once
            self._nets.learn(x, t, energy, random)

    def _scale(self, coding: Coding) -> Coding:
        """The transformation of observables to the targets of the networks."""
        return coding.resolving(*self._energy.resolution(coding.spread))

    def mean(self, z: Tensor, of_process: Tensor, coding: Coding, without: Collection[int] = ()) -> Tensor:
        """Predicted observables, shape (n, k), at inputs z, shape (n, dim + planes): those of the processes, or of the
        networks where these are better. The observables `without` are not needed.
        """
        if self._nets is None or not np.delete(self.which, list(without)).any():
            return of_process
        return torch.where(torch.from_numpy(self.which), self._scale(coding).decode(self._nets.mean(z)), of_process)

    def draws(self, z: Tensor, normal: Tensor, wider: float, of_process: Tensor, coding: Coding) -> Tensor:
        """Draws of the observables, shape (draws, n, k), as `mean`; `normal` and `wider` as in `Regression.draws`."""
        if self._nets is None or not self.which.any():
            return of_process
        of_nets = self._scale(coding).decode(self._nets.draws(z, normal, wider))
        return torch.where(torch.from_numpy(self.which), of_nets, of_process)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`."""
        arrays: dict[str, NDArray[np.float64]] = {
            "nets_seen": np.array(float(self._seen)),
            "by_nets": self.which.astype(float),
            "poor": self.poor.astype(float),
        }
        for name, part in (("nets", self._nets), ("record", self._record)):
            if part is not None:
                arrays |= {f"{name}/{key}": value for key, value in part.to_arrays().items()}
        return arrays

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        parts, none = grouped(arrays), np.zeros(self._outputs)
        self._seen = int(arrays.get("nets_seen", 0))
        self.which, self.poor = arrays.get("by_nets", none) > 0, arrays.get("poor", none) > 0
        # networks of an older lodescan are trained again
        self._nets = Regression.from_arrays(parts["nets"]) if "born" in parts.get("nets", {}) else None
        self._record = Record.from_arrays(parts["record"]) if "record" in parts else None
