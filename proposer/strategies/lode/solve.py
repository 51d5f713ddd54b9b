"""Chooses points that a model of the energy other than the main one predicts to be good."""

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

OTHERS = ("exploit", "explore", "probe", "fill")
MOST, LAST = 0.9, 200
"""The largest fraction of a batch, and the number of last points that compare this part with the OTHERS."""
NEWEST, SHARP = 100, 2.0
"""This part is also compared with *exploit* alone, by the hit rates of the NEWEST points of both to the power SHARP. So
with half the hit rate, it gets at most a fifth of a batch. Without this comparison, it got a fifth of the points for
the NLL of a coannihilation. Only 20 % of these were good, but 95 % of the points of *exploit*.
"""
PARTICLES = 400
"""The number of particles that are drawn from the region of a model."""


def ahead(known: Known) -> bool:
    """Whether the other models hit more often than the main model, or are untried while nothing is good.

    Without the second case, multi10d (seed 24) had its first good point after 910 evaluations instead of 538.
    """
    return share(known) > 0.5 * MOST


def share(known: Known) -> float:
    """The fraction of a batch for the other models. Before their first points, they count as equally good."""
    every = hits(known, (*OTHERS, "solve"), LAST)
    of_rest, of_these = (hits(known, origin, LAST, every) for origin in (OTHERS, "solve"))
    of_map, newest = (hits(known, origin, NEWEST, every) ** SHARP for origin in ("exploit", "solve"))
    return float(MOST * min(of_these / (of_these + of_rest), newest / (newest + of_map)))


def solve(context: Context, n: int) -> Floats:
    """A part: points in the region of each model, spread evenly. Their number depends on their hit rate relative to the
    other parts.
    """
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
