"""The coordinates in which a map shall be even: all variables, or variables and observables chosen by the user.

Points that fill a region evenly in its variables may lie close together in a mass. Distances in the chosen coordinates
spread the points in the mass: candidates compete by their predicted observables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from proposer.strategies.lode.acquire import Context, exploit
from proposer.strategies.lode.select import Candidates, daring, even
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.space import Space
    from proposer.strategies.lode.energy import EnergyOfObservables

SIDE = 0.02
"""The weight of the variables relative to chosen coordinates. Among points that agree in the chosen coordinates, the
point that is farther in the variables is preferred.
"""
LEAST_PROBABILITY = 0.5
"""The smallest probability of candidates. In one or two coordinates, good points lie close together, so points far from
them are mostly outside the region.
"""
EDGES, STEPS = 200, 5
"""The number of particles in thin parts of the region, and of steps from each of them."""


@dataclass(frozen=True)
class EvenIn:
    """Chosen coordinates: the columns of the inputs, shape (n, dim), for each variable (two for a periodic variable),
    and columns of the observables, shape (n, k).
    """

    inputs: Sequence[tuple[int, ...]]
    outputs: Sequence[int]

    @classmethod
    def of(cls, space: Space, names: Sequence[str], scored: EnergyOfObservables) -> EvenIn:
        """The coordinates of the free variables `names` and of the mapped observables."""
        free, periodic = np.flatnonzero(~space.fixed).tolist(), np.flatnonzero(space.periodic).tolist()
        inputs = [
            (position, len(free) + periodic.index(column)) if column in periodic else (position,)
            for position, column in enumerate(free)
            if space.names[column] in names
        ]
        return cls(inputs, [position for position, j in enumerate(scored.columns) if scored.all[j].mapped])

    @property
    def dim(self) -> int:
        """The number of chosen coordinates; 0 if the map is even in all variables."""
        return len(self.inputs) + len(self.outputs)

    def source(self, context: Context) -> Floats:
        """A source of more candidates in parts of the region that are thin in these coordinates."""
        inside, surrogate = context.inside, context.surrogate
        if len(inside) < 2:
            return inside[:0]
        (positions,) = self.positions(len(inside), [(context.inputs(inside), surrogate.observables(inside))])
        thin = even(Candidates(positions, np.ones(len(inside))), positions[:0], EDGES)
        return beside(surrogate, inside, thin, context.generator("beside"))

    def exploit(self, context: Context, n: int) -> Floats:
        """A part: candidates that are probably good, spread evenly in these coordinates. If these are observables, but
        only an NLL is known, they are spread evenly in all variables.
        """
        known, surrogate = context.known, context.surrogate
        predicted, expected = surrogate.observables(context.candidates), surrogate.observables(context.pending)
        if not self.inputs and predicted is None:
            return exploit(context, n)
        of_taken = None if expected is None else np.concatenate([surrogate.scaled(known.values[known.good]), expected])
        taken = context.inputs(np.concatenate([known.u[known.good], context.pending]))
        candidates = context.inputs(context.candidates)
        positions, there = self.positions(len(context.inside), [(candidates, predicted), (taken, of_taken)])
        there = there[np.isfinite(there).all(axis=1)]  # a mapped observable without a likelihood may be missing
        sure = np.where(context.probability >= LEAST_PROBABILITY, context.probability, 0.0)
        return context.candidates[even(Candidates(positions, sure), there, n, daring(self.dim))]

    def positions(self, inside: int, parts: Sequence[tuple[Floats, Floats | None]]) -> list[Floats]:
        """Positions of points for distances between them: an array of shape (n, dim + all inputs) for each pair of
        inputs and observables. The first `inside` rows of the first pair give the span of each coordinate.
        """
        columns = [column for group in self.inputs for column in group]
        chosen = [np.hstack([x[:, columns], *([] if t is None else [t[:, list(self.outputs)]])]) for x, t in parts]
        low, high = np.quantile(chosen[0][:inside], [0.01, 0.99], axis=0)
        reach = np.where(high > low, high - low, 1.0)
        for group in self.inputs:  # the same factor for cosine and sine, so that a circle remains a circle
            of = np.isin(columns, group).nonzero()[0]
            reach[of] = reach[of].max()
        return [np.hstack([(unit - low) / reach, 0.5 * SIDE * x]) for unit, (x, _) in zip(chosen, parts, strict=True)]


def beside(
    energy: Callable[[Tensor], Tensor], inside: Floats, thin: NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Points, shape (k, d), with an energy below 1 near the particles at the positions `thin` of `inside`, shape (n,
    d). Without them, parts of the region with few particles would have too few candidates.
    """
    near = np.asarray(cKDTree(inside).query(inside[thin], k=min(2 * inside.shape[1] + 1, len(inside)))[1])
    width = np.ptp(inside[near.reshape(len(thin), -1)], axis=1)
    steps = width[:, None, :] * rng.standard_normal((len(thin), STEPS, inside.shape[1])) / np.sqrt(inside.shape[1])
    tried = np.clip(inside[thin][:, None, :] + steps, 0.0, 1.0).reshape(-1, inside.shape[1])
    return np.asarray(tried[energy(torch.from_numpy(tried)).numpy() < 1.0])
