"""The interface of LODE's models, which map points in the cube to energies with an uncertainty.

There are two models: `OfObservables` regresses the observables, `OfNll` learns the NLL alone. `contest.py` chooses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np
from torch import Tensor

from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known

LEARN_AGAIN = 1.2
"""Length scales are learned again when there are this many times more points."""


class Surrogate(Protocol):
    """A model of the energy over the free variables u, shape (n, d), in the unit cube."""

    by_observables: ClassVar[bool]
    """Whether the model learns from observables."""
    wider: ClassVar[float]
    """The uncertainty far from known points is larger by this factor than the model says."""
    uniform: ClassVar[float]
    """The fraction of a batch that is drawn from the prior, in case the model is wrong everywhere."""

    @property
    def fitted(self) -> bool:
        """Whether the model has learned enough to predict."""
        ...

    @property
    def patience(self) -> float:
        """The power with which misses lower the fraction of exploring points; with 0 they do not."""
        ...

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        """Learns from all known points. Does nothing if these are too few."""
        ...

    def __call__(self, u: Tensor) -> Tensor:
        """Energies, shape (n,). Energies below 1 are good. Points that are predicted to be INVALID have higher
        energies.
        """
        ...

    def rough(self, u: Tensor) -> Tensor:
        """Energies, shape (n,), computed cheaper and less exactly."""
        ...

    @property
    def rough_above(self) -> float:
        """The energy above which the cheaper energies are exact enough for the sampler."""
        ...

    def expect(self, u: Floats) -> None:
        """Stores its predictions for points that are now requested, to compare them with the results."""
        ...

    def members(self, u: Floats) -> Floats:
        """The energies of each member of the model, shape (members, n)."""
        ...

    def others(self) -> list[Callable[[Tensor], Tensor]]:
        """Other models of the energy, which map (n, d) to (n,). Points that they take for good are also tried."""
        ...

    def probability_by_others(self, u: Floats) -> Floats:
        """The probability of being good by the `others`, shape (n,), for points u, shape (n, d)."""
        ...

    @property
    def weight_of_others(self) -> float:
        """The weight of the `others`, from 0 to 1, in a mean with this model, by the errors of both."""
        ...

    def beside_planes(self, known: Known) -> list[Callable[[Tensor], Tensor]]:
        """For each plane at which an observable changes abruptly, an energy of points (n, d), shape (n,). It is below 1
        close to the plane, where all other observables are predicted to be good.
        """
        ...

    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        """The probability of being good, shape (n,). `wider` multiplies the uncertainty of the model."""
        ...

    def observables(self, u: Floats) -> Floats | None:
        """Predicted observables, shape (n, k), on the scale of `scaled`; None if only an NLL is known."""
        ...

    def scaled(self, values: Floats) -> Floats:
        """Observables, shape (n, k), on the scale on which they are learned, which may be logarithmic."""
        ...

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`, without the points."""
        ...

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError, TypeError, and ValueError."""
        ...


def grouped(arrays: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Groups arrays with the names GROUP/KEY by group and key."""
    groups: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, value in arrays.items():
        group, _, key = name.partition("/")
        if key:
            groups.setdefault(group, {})[key] = value
    return groups
