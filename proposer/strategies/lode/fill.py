"""Fills regions that the model does not see, by candidates near good points.

A resonance is thinner than any length scale of a Gaussian process for the whole cube, so most predictions of good
points are wrong there. A point that is closer to a good point than to bad points is good more often.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.collect import candidates, probability_by_neighbours
from proposer.strategies.lode.select import Candidates, even, hits
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Context

BY_MODEL = ("exploit", "solve")
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
    axes = shape(known.u[known.good])
    stretched = replace(known, u=known.u @ np.linalg.inv(axes))
    u = context.snap(np.clip(candidates(stretched, context.generator("fill")) @ axes, 0.0, 1.0))
    probability = probability_by_neighbours(stretched, u @ np.linalg.inv(axes))
    best = Candidates(context.positions(u), probability**CERTAINTY)
    return u[even(best, context.taken(), n, DARING)]


def shape(good: Floats) -> Floats:
    """The principal axes of the points `good`, shape (n, d), of a thin region, as rows of an array of shape (d, d).
    Their lengths are proportional to the widths of the region along them; the longest has unit length. Because few
    points do not show how thin a region is, no axis is shorter than 1 / n of the longest.
    """
    triangle = np.linalg.qr(good - good.mean(axis=0), mode="r")  # has the same axes, and at most d rows
    deviation, axes = np.linalg.svd(triangle)[1:]
    length = np.zeros(good.shape[1])
    length[: len(deviation)] = deviation / max(float(deviation.max()), 1e-300)
    return np.asarray(np.maximum(length, 1.0 / len(good))[:, None] * axes)


FILL = Part("fill", fill)
