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

OTHERS = ("exploit", "explore", "probe")
MOST, LAST = 0.9, 200
"""Share of a batch, and points by which this part is compared with the OTHERS."""
PARTICLES = 400


def solve(context: Context, n: int) -> Floats:
    """A part: points of the region of each model, spread evenly; as many as their hits are worth beside those of the
    other parts."""
    models = context.surrogate.others()
    of_rest, of_these = hits(context.known, OTHERS, LAST), hits(context.known, "solve", LAST)
    n = min(n, round(MOST * context.n * of_these / (of_these + of_rest)))
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
