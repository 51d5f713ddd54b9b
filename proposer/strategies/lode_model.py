"""What LODE knows: from points in the cube to energies, and how sure that is.

Observables are regressed, not the NLL, wherever they come back: they are smooth where the
NLL has narrow valleys, and the true likelihood turns predictions into energies. Where only
an NLL comes back, log(10 + energy) is regressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from proposer.strategies.base import Floats
from proposer.strategies.lode_coding import Coding
from proposer.strategies.lode_energy import FAR, EnergyOfObservables
from proposer.strategies.lode_process import Processes
from proposer.strategies.lode_train import training_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode_points import Known

MOST_POINTS, MOST_NUMBERS, LEAST_POINTS = 1200, 2400, 300
"""Most points that the regression is conditioned on, and most points times outputs: these bound what an iteration
costs. No fewer than 300 points for any number of outputs."""
LEARN_AGAIN = 1.2
"""Length scales are learned again when there are so many times more points."""
SOFTENING = 10.0
"""Of log(s + energy), where only the NLL is known: smaller values leave a kink at the best points."""
_DRAWS = 32


class Surrogate:
    """Predicts energies; `energy` is None where only an NLL is known.

    `inputs`: from u, shape (n, d), to what the regression sees, shape (n, dim), about [-1, 1].
    """

    def __init__(
        self, dim: int, energy: EnergyOfObservables | None, inputs: Callable[[Floats], Floats] = lambda u: 2.0 * u - 1.0
    ) -> None:
        self.dim, self.energy, self.inputs = dim, energy, inputs
        self._coding: Coding | None = None
        self._values: Processes | None = None
        self._validity: Processes | None = None
        self._judges_validity = False
        self._learned_from = 0

    @property
    def fitted(self) -> bool:
        return self._values is not None

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        """Fits to what is known; does nothing while that is too little (fewer than 10 points with values)."""
        y = known.energy[:, None] if self.energy is None else known.values
        usable = np.flatnonzero(np.isfinite(y).all(axis=1) & known.answered)
        if len(usable) < min(10, 2 + self.dim):
            return
        if self._coding is None and self.energy is not None:
            self._coding = Coding.of(y[usable])
        if self._values is None:
            self._values = Processes(self.dim, y.shape[1])
            self._learned_from = 0
        again = len(usable) >= LEARN_AGAIN * self._learned_from
        most = min(MOST_POINTS, max(LEAST_POINTS, MOST_NUMBERS // y.shape[1]))
        rows = usable[training_rows(known.u[usable], known.energy[usable], most, rng)]
        x, t = self.inputs(known.u[rows]), self._encode(y[rows])
        if again:
            self._values.learn(x, t, rng)
            self._learned_from = len(usable)
        self._values.condition(x, t)
        few = training_rows(known.u[rows], known.energy[rows], len(rows) // 3, rng)
        self._rough = self._values.thinned(x[few], t[few]) if len(rows) > LEAST_POINTS // 2 else self._values
        has_values = known.ok & np.isfinite(y).all(axis=1)
        self._fit_validity(known, has_values, known.unexplained | (known.ok & ~has_values), most // 2, rng, again=again)

    def _fit_validity(
        self, known: Known, valid: NDArray[np.bool_], invalid: NDArray[np.bool_], most: int, rng: np.random.Generator,
        *, again: bool,
    ) -> None:  # fmt: skip
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

    def _encode(self, y: Floats) -> Floats:
        if self._coding is not None:
            return self._coding.encode(y)
        return np.asarray(np.log(SOFTENING + np.clip(y, 0.0, 1e6)) - np.log(SOFTENING + 100.0))

    def _decode(self, t: Tensor) -> Tensor:
        """Energies, shape (n,), of targets, shape (n, k)."""
        if self._coding is None or self.energy is None:
            return torch.exp(t[:, 0] + np.log(SOFTENING + 100.0)) - SOFTENING
        return self.energy(self._coding.decode(t), torch.from_numpy(self._coding.spread))

    @torch.no_grad()
    def __call__(self, u: Tensor) -> Tensor:
        """Energies, shape (n,), at u of shape (n, d); where it is predicted invalid the energy goes up."""
        assert self._values is not None
        return self._predict(self._values, u)

    @torch.no_grad()
    def rough(self, u: Tensor) -> Tensor:
        """The same from a third of the points, at a third of the cost."""
        return self._predict(self._rough, u)

    def _predict(self, values: Processes, u: Tensor) -> Tensor:
        z = torch.from_numpy(self.inputs(u.numpy()))
        energy = self._decode(values.mean(z))
        if self._judges_validity and self._validity is not None:
            energy = energy + 4.0 * (-self._validity.mean(z)[:, 0]).clamp(min=0.0)
        return energy.clamp(max=FAR)

    @torch.no_grad()
    def chances(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        """The odds, shape (n,), that points u (n, d) are good, from 32 draws of what the regression leaves open, which
        is `wider` by that factor."""
        assert self._values is not None
        z = torch.from_numpy(self.inputs(u))
        mean, deviation = self._values.mean(z), self._values.deviation(z)
        # without noise it is misfit: open all the same
        deviation = wider * (deviation.square() + self._values.noise).sqrt()
        valid = torch.ones(len(u), dtype=torch.float64)
        if self._judges_validity and self._validity is not None:
            at, wide = self._validity.mean(z)[:, 0], self._validity.deviation(z)[:, 0]
            valid = torch.special.ndtr(at / (wide + 0.05))
        if self.energy is None:
            good = float(self._encode(np.array([1.0]))[0])
            return np.asarray((torch.special.ndtr((good - mean[:, 0]) / deviation[:, 0]) * valid).numpy())
        count = torch.zeros(len(u), dtype=torch.float64)
        for draw in rng.standard_normal((_DRAWS, mean.shape[1])):
            count += self._decode(mean + deviation * torch.from_numpy(draw)) < 1.0
        return (count / _DRAWS * valid).numpy()

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """What `load` needs; the points are not part of it."""
        arrays: dict[str, NDArray[np.float64]] = {"learned_from": np.array(float(self._learned_from))}
        for name, part in (("values", self._values), ("validity", self._validity)):
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
        self._coding = Coding(**parts["coding"]) if "coding" in parts else None
        self._values = Processes.from_arrays(parts["values"]) if "values" in parts else None
        self._validity = Processes.from_arrays(parts["validity"]) if "validity" in parts else None
