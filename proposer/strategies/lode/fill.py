"""Beside good points where the model does not see them: a map fills a region from its neighbours.

A resonance is thinner than any length scale that a process has over the whole cube, so most of what a model takes for
good there is not. What is beside a good point, nearer than what is bad, is good more often.
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
"""The model does not see a region where less than this share of the LAST points that it took for good were, of at least
LEAST."""
MOST = 0.5
"""Share of a batch: the model goes on being asked, and other regions are looked for."""
CERTAINTY, DARING = 6.0, 2.0
"""As of `collect`, but a map is more daring."""


def fill(context: Context, n: int) -> Floats:
    """A part: candidates between and around good points, spread evenly; as many as their hits are worth beside those of
    the model, and none where it predicts well."""
    known = context.known
    of_model = hits(known, BY_MODEL, LAST)
    if np.isin(known.origins, BY_MODEL).sum() < LEAST or of_model > POOR or not known.good.any():
        return np.empty((0, context.dim))
    of_neighbours = hits(known, "fill", LAST, of_model)  # untried, they are as good as the model
    n = min(n, round(MOST * context.n * of_neighbours / (of_neighbours + of_model)))
    axes = shape(known.u[known.good])
    stretched = replace(known, u=known.u @ np.linalg.inv(axes))
    u = context.snap(np.clip(candidates(stretched, context.generator("fill")) @ axes, 0.0, 1.0))
    probability = probability_by_neighbours(stretched, u @ np.linalg.inv(axes))
    best = Candidates(context.positions(u), probability**CERTAINTY)
    return u[even(best, context.taken(), n, DARING)]


def shape(good: Floats) -> Floats:
    """Axes, shape (d, d), in which points of a thin region, shape (n, d), reach as far along it as across: rows of unit
    length or less, the principal axes. Few points do not show how thin it is: none is shorter than 1 / n of another."""
    triangle = np.linalg.qr(good - good.mean(axis=0), mode="r")  # has the same axes, and d rows at most
    deviation, axes = np.linalg.svd(triangle)[1:]
    length = np.zeros(good.shape[1])
    length[: len(deviation)] = deviation / max(float(deviation.max()), 1e-300)
    return np.asarray(np.maximum(length, 1.0 / len(good))[:, None] * axes)


FILL = Part("fill", fill)
