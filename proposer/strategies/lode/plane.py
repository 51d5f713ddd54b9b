"""Chooses points close to planes at which an observable changes abruptly (`ridges.py`).

The good region beside such a plane may be a thousandth of the cube thick. Hardly any other point falls there, so the
model cannot know where the observable crosses its target, and takes nothing there for good. A few points across each
plane show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.sample import subset_simulation
from proposer.strategies.lode.select import Candidates, even
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

MOST = 0.2
"""The largest fraction of a batch."""
SURE = 0.5
"""Candidates with a larger probability of being good are left to *exploit*."""
PARTICLES = 300
"""The number of particles that are drawn close to each plane."""
LEAST = 0.02
"""This is added to the probability of each candidate, because the model is too sure where nothing is known."""
PAYS, UNTRIED, LAST = 0.03, 33.0, 300
"""The fraction of a batch falls if less than PAYS of the LAST points of this part are good. At first, it is assumed
that one of UNTRIED points is good.
"""


def paid(known: Known) -> float:
    """The factor by which misses of this part lower its fraction of a batch."""
    of = np.flatnonzero(known.origins == "plane")[-LAST:]
    return min(1.0, (float(known.good[of].sum()) + PAYS * UNTRIED) / (PAYS * (len(of) + UNTRIED)))


def close_to_planes(context: Context, n: int) -> Floats:
    """A part: points close to each plane where all other observables are predicted to be good, spread evenly. Their
    fraction of the n points is the fraction of the good volume that is expected there and not known, as in *explore*.
    """
    found, volumes = [np.empty((0, context.dim))], [np.empty(0)]
    if context.known.good.any():
        random = torch.Generator().manual_seed(int(context.generator("plane").integers(2**63)))
        for energy in context.surrogate.beside_planes(context.known):
            particles = subset_simulation(energy, context.dim, PARTICLES, random)
            u = context.snap(particles.inside.numpy()) if particles.level == 1.0 else found[0]
            found.append(u)
            volumes.append(np.full(len(u), particles.volume / max(1, len(u))))
    u = np.concatenate(found)
    if not len(u):
        return u
    probability = context.surrogate.probability(u, context.random, context.surrogate.wider)
    probability[probability > SURE] = 0.0
    missing = float((np.concatenate(volumes) * probability).sum())
    inside = context.volume * context.probability[: len(context.inside)].mean()
    share = min(MOST, missing / (missing + inside + 1e-300)) * paid(context.known) * context.left
    best = Candidates(context.positions(u), probability + LEAST)
    rows = even(best, context.positions(context.busy), round(share * n))
    context.near_planes = len(rows)
    return u[rows]


PLANE = Part("plane", close_to_planes)
