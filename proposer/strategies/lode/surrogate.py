"""What LODE asks of a model: from points in the cube to energies, and how sure that is.

There are two: `OfObservables` regresses what a code returns, `OfNll` learns from the NLL alone. `contest.py` chooses.
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
"""Length scales are learned again when there are so many times more points."""


class Surrogate(Protocol):
    """A model of the energy over the free variables u, shape (n, d), in the unit cube."""

    by_observables: ClassVar[bool]
    """Whether it learns from observables."""
    wider: ClassVar[float]
    """Far from what it knows the model is so many times less sure than it says."""
    uniform: ClassVar[float]
    """Share of a batch that is drawn from the prior, in case the model is wrong everywhere."""

    @property
    def fitted(self) -> bool:
        """Whether it has seen enough to predict."""
        ...

    @property
    def patience(self) -> float:
        """The power with which misses lower the share of exploring points: with 0 they never do."""
        ...

    def fit(self, known: Known, rng: np.random.Generator) -> None:
        """Learns from all that is known; does nothing while that is too little."""
        ...

    def __call__(self, u: Tensor) -> Tensor:
        """Energies, shape (n,): below 1 is good. They go up where a point is predicted to be INVALID."""
        ...

    def rough(self, u: Tensor) -> Tensor:
        """The same, cheaper and less exact."""
        ...

    def expect(self, u: Floats) -> None:
        """Keeps what it predicts of points that are now asked for, to compare with what comes of them."""
        ...

    def members(self, u: Floats) -> Floats:
        """Energies of each model that has a say, shape (members, n)."""
        ...

    def others(self) -> list[Callable[[Tensor], Tensor]]:
        """Other models of the energy, from (n, d) to (n,) each: what they take for good is tried too."""
        ...

    def probability(self, u: Floats, rng: np.random.Generator, wider: float = 1.0) -> Floats:
        """The probability of being good, shape (n,); `wider`: a factor of how unsure the model is."""
        ...

    def observables(self, u: Floats) -> Floats | None:
        """Predicted observables, shape (n, k), on the scale of `scaled`; None where only an NLL is known."""
        ...

    def scaled(self, values: Floats) -> Floats:
        """Observables, shape (n, k), on the scale on which they are learned: perhaps their logarithms."""
        ...

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """What `load` needs; the points are not part of it."""
        ...

    def load(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """The opposite of `to_arrays`; raises KeyError, TypeError and ValueError."""
        ...


def grouped(arrays: Mapping[str, NDArray[np.float64]]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Arrays named GROUP/KEY, by group and key."""
    groups: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, value in arrays.items():
        group, _, key = name.partition("/")
        if key:
            groups.setdefault(group, {})[key] = value
    return groups
