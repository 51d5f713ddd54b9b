"""What other models of the energy take for good, beside the one that the map is drawn by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.sample import subset_simulation
from proposer.strategies.lode.select import Candidates, even, hits
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

MOST, LAST, SHARP = 0.9, 100, 2.0
"""Share of a batch, points by which this part is compared with *exploit*, and the power of their hits: what hits half
as often gets a fifth."""
PARTICLES = 400


def share(known: Known) -> float:
    """The share of a batch that the other models deserve."""
    of_map, of_these = (hits(known, origin, LAST) ** SHARP for origin in ("exploit", "solve"))
    return float(MOST * of_these / (of_these + of_map))


def solve(context: Context, n: int) -> Floats:
    """A part: points of the region of each model, spread evenly; as many as their hits are worth beside those of
    *exploit*."""
    models = context.surrogate.others()
    n = min(n, round(share(context.known) * context.n))
    random = torch.Generator().manual_seed(int(context.generator("solve").integers(2**63)))
    taken, found = context.taken(), [np.empty((0, context.dim))]
    for number, energy in enumerate(models):
        particles = subset_simulation(energy, context.dim, n=PARTICLES, random=random)
        u = np.unique(context.snap(particles.inside.numpy()), axis=0)
        positions = context.positions(u)
        rows = even(Candidates(positions, np.ones(len(u))), taken, n // len(models) + (number < n % len(models)))
        found.append(u[rows])
        taken = np.concatenate([taken, positions[rows]])
    return np.concatenate(found)


SOLVE = Part("solve", solve)
