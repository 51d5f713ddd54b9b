"""What LODE knows: from points in the cube to energies, and how sure that is.

Observables are regressed, not the NLL, wherever they come back: they are smooth where the
NLL has narrow valleys, and the true likelihood turns predictions into energies. Where only
an NLL comes back, networks look for such residuals themselves (`lode_nets`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.lode.apart import alone, made_bad, no_physics
from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.energy import FAR, EnergyOfNll, EnergyOfObservables
from proposer.strategies.lode.nets import MEMBERS, Nets
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.train import training_rows
from proposer.target import Target
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known

MOST_POINTS, MOST_NUMBERS, LEAST_POINTS = 1200, 1600, 300
"""Most points that the regression is conditioned on, and most points times outputs: these bound what an iteration
costs; 2,400 numbers cost a fifth more CPU for the same map. No fewer than 300 points for any number of outputs."""
LEARN_AGAIN = 1.2
"""Length scales are learned again when there are so many times more points."""
_DRAWS = 32


class Surrogate:
    """Predicts energies; `energy` is None where only an NLL is known, of which `of_nll` says what is good.

    `inputs`: from u, shape (n, d), to what the regression sees, shape (n, dim), about [-1, 1].
    """

    def __init__(
        self,
        dim: int,
        energy: EnergyOfObservables | None,
        inputs: Callable[[Floats], Floats] = lambda u: 2.0 * u - 1.0,
        of_nll: EnergyOfNll | None = None,
    ) -> None:
        self.dim, self.energy, self.inputs, self._of_nll = dim, energy, inputs, of_nll or EnergyOfNll(Target(math.inf))
        self._coding: Coding | None = None
        self._values: Processes | None = None
        self._nets: Nets | None = None
        self._error = 0.5  # of log(1 + energy), as new points show it
        self._seen = 0
        self._turn = 0  # the network that predicts: sampling from one at a time reaches what only one believes in
        self._validity: Processes | None = None
        self._judges_validity = False
        self._learned_from = 0
        self._coded_apart = False  # whether points were set apart when the scale was found

    @property
    def fitted(self) -> bool:
        return self._values is not None or self._nets is not None

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        """Fits to what is known; does nothing while that is too little (fewer than 10 points with values)."""
        y = known.energy[:, None] if self.energy is None else known.values
        usable = np.flatnonzero(np.isfinite(y).all(axis=1) & known.answered)
        least = min(10, 2 + self.dim)
        if len(usable) < least:
            return
        if self.energy is None:
            self._fit_nets(known, usable, rng)
            return
        apart = np.zeros(len(y), dtype=np.bool_)
        losses = self.energy.losses(torch.from_numpy(y[usable])).numpy()
        no_value = no_physics(y[usable], losses, self.energy.one_sided)
        if no_value.any():
            outside = self.energy.outside(torch.from_numpy(y[usable])).numpy()
            bad = made_bad(no_value, losses, outside, self.energy.of_nll.threshold)
            if len(usable) - bad.sum() >= least:
                apart[usable[bad]], usable, no_value = True, usable[~bad], no_value[~bad]
        if self._coding is None or self._values is None or self._coded_apart != apart.any():
            self._coding = Coding.of(y[usable], alone(no_value, y[usable]))
            self._coded_apart = bool(apart.any())
            self._values = Processes(self.dim, y.shape[1])
            self._learned_from = 0
        again = len(usable) >= LEARN_AGAIN * self._learned_from
        most = min(MOST_POINTS, max(LEAST_POINTS, MOST_NUMBERS // y.shape[1]))
        rows = usable[training_rows(known.u[usable], known.energy[usable], most, rng)]
        x, t = self.inputs(known.u[rows]), self._coding.encode(y[rows])
        if again:
            self._values.learn(x, t, rng)
            self._learned_from = len(usable)
        self._values.condition(x, t)
        few = training_rows(known.u[rows], known.energy[rows], len(rows) // 3, rng)
        self._rough = self._values.thinned(x[few], t[few]) if len(rows) > LEAST_POINTS // 2 else self._values
        valid = known.ok & ~known.lacking & ~apart
        invalid = known.unexplained | known.lacking | apart
        self._fit_validity(known, valid, invalid, most // 2, rng, again=again)

    def _fit_nets(self, known: Known, usable: NDArray[np.int64], rng: np.random.Generator) -> None:
        """Where only an NLL is known; how far off the last predictions were is how far off the next ones may be."""
        random = torch.Generator().manual_seed(int(rng.integers(2**63)))
        if self._nets is None:
            self._nets = Nets(self.dim)
        else:
            new = usable[usable >= self._seen]
            predicted = self._nets.log_energy(torch.from_numpy(self.inputs(known.u[new]))).mean(dim=0).numpy()
            off = (predicted - np.log1p(known.plain[new]))[predicted < np.log1p(2.0)]
            if len(off) >= 10:
                self._error = float(np.clip(np.sqrt((off**2).mean()), 0.05, 1.0))
        self._seen, self._turn = len(known.u), int(rng.integers(MEMBERS))
        rows = usable[training_rows(known.u[usable], known.energy[usable], 4000, rng)]
        self._nets.learn(self.inputs(known.u[rows]), known.plain[rows].clip(max=1e6), random)
        again = len(usable) >= LEARN_AGAIN * self._learned_from
        if again:
            self._learned_from = len(usable)
        has_nll = known.ok & np.isfinite(known.energy)
        self._fit_validity(known, has_nll, known.unexplained, MOST_POINTS // 2, rng, again=again)

    def _fit_validity(
        self,
        known: Known,
        valid: NDArray[np.bool_],
        invalid: NDArray[np.bool_],
        most: int,
        rng: np.random.Generator,
        *,
        again: bool,
    ) -> None:
        """Regresses +1 for valid, -1 for invalid without a reason among the observables."""
        self._judges_validity = bool(invalid.any())
        if not self._judges_validity:
            return
        judged = np.flatnonzero(valid | invalid)
        rows = judged[training_rows(known.u[judged], known.energy[judged], most, rng)]
        x, t = self.inputs(known.u[rows]), np.where(valid[rows], 1.0, -1.0)[:, None]
        if self._validity is None:
            self._validity = Processes(self.dim, 1)
        if again or not self._validity.learned:
            self._validity.learn(x, t, rng)
        self._validity.condition(x, t)

    def _decode(self, t: Tensor) -> Tensor:
        """Energies, shape (n,), of targets, shape (n, k)."""
        assert self._coding is not None
        assert self.energy is not None
        return self.energy(self._coding.decode(t), torch.from_numpy(self._coding.spread))

    @torch.no_grad()
    def __call__(self, u: Tensor) -> Tensor:
        """Energies, shape (n,), at u of shape (n, d); where it is predicted invalid the energy goes up."""
        return self._predict(self._values, u)

    @torch.no_grad()
    def rough(self, u: Tensor) -> Tensor:
        """The same from a third of the points, at a third of the cost."""
        return self._predict(None if self._nets is not None else self._rough, u)

    def _predict(self, values: Processes | None, u: Tensor) -> Tensor:
        z = torch.from_numpy(self.inputs(u.numpy()))
        if self._nets is not None:
            energy = self._of_nll.within(torch.expm1(self._nets.log_energy(z, self._turn)[0]))
        else:
            assert values is not None
            energy = self._decode(values.mean(z))
        if self._judges_validity and self._validity is not None:
            energy = energy + 4.0 * (-self._validity.mean(z)[:, 0]).clamp(min=0.0)
        return energy.clamp(max=FAR)

    @torch.no_grad()
    def chances(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        """The odds, shape (n,), that points u (n, d) are good, from 32 draws of what the regression leaves open, which
        is `wider` by that factor."""
        if not len(u):
            return np.empty(0)
        z = torch.from_numpy(self.inputs(u))
        valid = torch.ones(len(u), dtype=torch.float64)
        if self._judges_validity and self._validity is not None:
            at, wide = self._validity.mean(z)[:, 0], self._validity.deviation(z)[:, 0]
            valid = torch.special.ndtr(at / (wide + 0.05))
        if self._nets is not None:
            each = self._nets.log_energy(z)
            open_ = wider * (each.var(dim=0) + self._error**2).sqrt()
            below = torch.special.ndtr((math.log(2.0) - each.mean(dim=0)) / open_)
            if self._of_nll.least > 0.0:  # a band
                below -= torch.special.ndtr((math.log1p(self._of_nll.least) - each.mean(dim=0)) / open_)
            return np.asarray((below * valid).numpy())
        assert self._values is not None
        mean, deviation = self._values.mean(z), self._values.deviation(z)
        # without noise it is misfit: open all the same
        deviation = wider * (deviation.square() + self._values.noise).sqrt()
        draws = torch.from_numpy(rng.standard_normal((_DRAWS, 1, mean.shape[1])))
        energy = self._decode((mean + deviation * draws).flatten(0, 1)).view(_DRAWS, len(u))
        return ((energy < 1.0).double().mean(dim=0) * valid).numpy()

    def each(self, u: Floats) -> Floats:
        """Energies of each network, shape (members, n), at u (n, d), where only an NLL is known."""
        assert self._nets is not None
        log_energy = self._nets.log_energy(torch.from_numpy(self.inputs(u)))
        return np.asarray(self._of_nll.within(torch.expm1(log_energy)).numpy())

    @torch.no_grad()
    def observables(self, u: Floats) -> Floats | None:
        """What is predicted for them, shape (n, k), as `scaled`; None where only an NLL is known."""
        if self._values is None or self._coding is None:
            return None
        return self.scaled(self._coding.decode(self._values.mean(torch.from_numpy(self.inputs(u)))).numpy())

    def scaled(self, values: Floats) -> Floats:
        """Observables, shape (n, k): logarithms of those that are learned as such."""
        return values if self._coding is None else self._coding.scaled(values)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """What `load` needs; the points are not part of it."""
        arrays: dict[str, NDArray[np.float64]] = {
            "learned_from": np.array(float(self._learned_from)),
            "error": np.array(self._error),
            "seen": np.array(float(self._seen)),
            "coded_apart": np.array(float(self._coded_apart)),
        }
        for name, part in (("values", self._values), ("validity", self._validity), ("nets", self._nets)):
            if part is not None:
                arrays |= {f"{name}/{key}": value for key, value in part.to_arrays().items()}
        if self._coding is not None:
            arrays |= {f"coding/{key}": value for key, value in vars(self._coding).items()}
        return arrays

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """The opposite of `to_arrays`; raises KeyError, TypeError and ValueError."""
        parts: dict[str, dict[str, NDArray[np.float64]]] = {}
        for name, value in arrays.items():
            group, _, key = name.partition("/")
            if key:
                parts.setdefault(group, {})[key] = value
        self._learned_from = int(arrays["learned_from"])
        self._error, self._seen = float(arrays["error"]), int(arrays["seen"])
        self._coded_apart = bool(arrays["coded_apart"])
        self._nets = Nets.from_arrays(parts["nets"]) if "nets" in parts else None
        self._coding = Coding(**parts["coding"]) if "coding" in parts else None
        self._values = Processes.from_arrays(parts["values"]) if "values" in parts else None
        self._validity = Processes.from_arrays(parts["validity"]) if "validity" in parts else None
