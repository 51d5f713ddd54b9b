"""Chooses points that a model of the energy other than the main one predicts to be good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.sample import subset_simulation
from proposer.strategies.lode.select import DARING, Candidates, Tried, even, hits
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

OTHERS = ("exploit", "explore", "probe", "fill")
MOST, LAST = 0.9, 200
"""The largest fraction of a batch, and the number of last points that compare this part with the OTHERS."""
NEWEST, SHARP = 100, 4.0
"""This part is also compared with *exploit* alone, by the hit rates of the NEWEST points of both to the power SHARP. So
with half the hit rate, it gets at most 5 % of a batch. Without this comparison, it got a fifth of the points for
the NLL of a coannihilation. Only 20 % of these were good, but 95 % of the points of *exploit*.
"""
RECENT, LOWEST = 0.5, 0.1
"""Only the newest points are compared, the fraction RECENT of all. Otherwise old misses would count against a model
that has learned from twice as many points since then, and it would get no points to show it. If less than the fraction
LOWEST of them is good, this fraction, with the lowest energies, counts as good, and the power is 1 instead of SHARP. So
the parts can also be compared before the first good point, but low energies say less than good points.
"""
PARTICLES = 400
"""The number of particles that are drawn from the region of a model."""


def ahead(known: Known) -> bool:
    """Whether the other models hit more often than the main model, or are untried while nothing is good.

    Without the second case, multi10d (seed 24) had its first good point after 910 evaluations instead of 538.
    """
    untried = not known.good.any() and "solve" not in known.origins
    return untried or share(known) > 0.5 * MOST


def share(known: Known) -> float:
    """The fraction of a batch for the other models. Before their first points, they count as equally good."""
    first = round((1.0 - RECENT) * len(known.energy))
    energy, origins = known.energy[first:], known.origins[first:]
    compared = energy[np.isin(origins, (*OTHERS, "solve")) & np.isfinite(energy)]
    level = max(1.0, float(np.quantile(compared, LOWEST))) if len(compared) else 1.0
    tried, sharp = Tried(energy < level, origins), SHARP if level == 1.0 else 1.0
    every = hits(tried, (*OTHERS, "solve"), LAST, LOWEST)
    shares: list[float] = []
    for others, last in ((OTHERS, LAST), ("exploit", NEWEST)):
        untried = hits(tried, others, last, every)
        of_these, of_others = (hits(tried, origin, last, untried) ** sharp for origin in ("solve", others))
        shares.append(of_these / (of_these + of_others))
    return MOST * min(shares)


def solve(context: Context, n: int) -> Floats:
    """A part: points in the region of each model. The next point is always the one with the largest product of its
    probability of being good and its distance from the good points. Their number depends on their hit rate relative to
    the other parts.
    """
    models = context.surrogate.others()
    n = min(n, round(share(context.known) * context.n))
    if not models or n < 1:
        return np.empty((0, context.dim))
    random = torch.Generator().manual_seed(int(context.generator("solve").integers(2**63)))
    inside = [subset_simulation(energy, context.dim, n=PARTICLES, random=random).inside for energy in models]
    u = np.unique(context.snap(torch.cat(inside).numpy()), axis=0)
    candidates = Candidates(context.positions(u), context.surrogate.probability_by_others(u) ** DARING)
    return np.asarray(u[even(candidates, context.taken(), n)])


SOLVE = Part("solve", solve)
