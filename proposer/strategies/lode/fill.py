"""Fills regions that the model does not see, by candidates near good points.

A resonance is thinner than any length scale of a Gaussian process for the whole cube, so most predictions of good
points are wrong there. A point that is closer to a good point than to bad points is good more often.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.collect import candidates, probability_by_neighbours
from proposer.strategies.lode.select import BY_MODEL, Candidates, even, hits
from proposer.strategies.lode.thin import Thin
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Context

POOR, LAST, LEAST = 0.25, 100, 20
"""The model does not see a region if less than the fraction POOR of the LAST points that it took for good (at least
LEAST) were good.
"""
MOST = 0.5
"""The largest fraction of a batch, so that the model is still used, and other regions are still searched."""
CERTAINTY, DARING = 6.0, 2.0
"""As in `collect`, but more daring for a map."""


def fill(context: Context, n: int) -> Floats:
    """A part: candidates between and around good points, spread evenly. Their number depends on their hit rate relative
    to that of the model; it is 0 if the model predicts well.
    """
    known = context.known
    of_model = hits(known, BY_MODEL, LAST)
    if np.isin(known.origins, BY_MODEL).sum() < LEAST or of_model > POOR or not known.good.any():
        return np.empty((0, context.dim))
    of_neighbours = hits(known, "fill", LAST, of_model)  # before the first try, they count as good as the model
    n = round(min(n, MOST * context.n) * of_neighbours / (of_neighbours + of_model))
    thin = Thin.of(known)
    u = context.snap(np.clip(thin.back(candidates(thin.known, context.generator("fill"))), 0.0, 1.0))
    probability = probability_by_neighbours(thin.known, thin.there(u))
    best = Candidates(context.positions(u), probability**CERTAINTY)
    return u[even(best, context.taken(), n, DARING)]


FILL = Part("fill", fill)
