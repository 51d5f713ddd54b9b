"""A part of `goal: collect`: points beyond the known good ones, farther than the models are sure.

Where a region is thin and long, the models know little beyond the known part of it, and points that must be sure stay
in a small piece. But the difference of two good points that are far apart lies along the region. A few points of each
batch are such a step away from a good point. How many, and how far, follows how many of them were good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.collect import NEWEST, agreement, judges, surest, trusted
from proposer.strategies.lode.select import Candidates, even, hits
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Context

SHARE, LAST = 0.4, 30
"""The fraction of a batch for such points is SHARE times the square of the hit rate of the LAST ones. So at most 6 % of
the evaluations are such points that miss.
"""
STEPS, REACH = 2000, 4.0
"""The number of steps, and their largest length in units of the difference of the two good points: REACH times the
square of the hit rate. The most probable of them are chosen from, a fraction that is the hit rate.
"""


def leap(context: Context, n: int) -> Floats:
    """A part: steps from good points along the difference of two other good points, far from all points."""
    known, rng = context.known, context.generator("leap")
    good = known.u[-NEWEST:][known.good[-NEWEST:]]
    success = hits(known, LEAP.origin, LAST)
    n = int(rng.binomial(n, SHARE * success**2))
    if not n or len(good) < 2:
        return np.empty((0, context.dim))
    of, a, b = good[rng.integers(len(good), size=(3, STEPS))]
    u = of + REACH * success**2 * rng.random((STEPS, 1)) * (a - b)
    u = context.snap(u[((u >= 0.0) & (u <= 1.0)).all(axis=1)])
    model, others = judges(context, rng)
    sure = surest(known, u, model(u), agreement(others, u), trusted(context.surrogate.weight_of_others))
    u = u[np.argsort(-sure, kind="stable")[: round(success * len(u))]]
    occupied = context.positions(context.busy)
    return np.asarray(u[even(Candidates(context.positions(u), np.ones(len(u))), occupied, n)])


LEAP = Part("leap", leap)
