"""`goal: collect`: as many good points as possible, soon, rather than an even map.

What is good is found most surely beside what is known to be good: between good points (SMOTE), and around each as far
as the nearest point that is not good. That needs no model, and goes on where the regression sees nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from proposer.strategies.balance import between_good_points
from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.select import Candidates, even
from proposer.types import Floats

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

BEGIN = 10
"""Good points from which on they are collected; until then the map looks for them."""
UNIFORM = 0.01
"""Share of a batch that is drawn from the prior."""
EACH = 2000
"""Candidates between good points, and as many around them."""
NEIGHBOURS = 5
"""Of a good point, for SMOTE."""
NEWEST = 10_000
"""Points that candidates come from, and that judge them."""
CERTAINTY, DARING = 6.0, 1.0
"""A candidate twice as far from others may have 2^(-1/6) of the probability. With a daring of 3, as a map has, most
steps on thin curved regions went outside."""


def gather(context: Context, n: int) -> Floats:
    """A part: the surest candidates, hardly spread."""
    weight = certain(context.known, context.candidates, context.probability)
    best = Candidates(context.positions(context.candidates), weight)
    return context.candidates[even(best, context.taken(), n, DARING)]


def beside_good_points(context: Context) -> Floats:
    """A source of candidates: those of `candidates`."""
    return np.clip(candidates(context.known, context.generator("collect")), 0.0, 1.0)


def candidates(known: Known, rng: np.random.Generator) -> Floats:
    """Points, shape (n, d), between good ones and around them; of the newest, so that the cost does not grow."""
    u, good = known.u[-NEWEST:], known.good[-NEWEST:]
    return np.concatenate(
        [
            between_good_points(u, good, NEIGHBOURS, EACH, rng),
            around_good_points(known, EACH, rng),
        ]
    )


def around_good_points(known: Known, n: int, rng: np.random.Generator) -> Floats:
    """n points, shape (n, d), uniform in balls around good points that reach to the nearest one that is not good."""
    good, other = _apart(known)
    if not len(good) or not len(other):
        return np.empty((0, known.u.shape[1]))
    of = rng.integers(len(good), size=n)
    reach = np.asarray(cKDTree(other).query(good)[0])[of]
    way = rng.standard_normal((n, known.u.shape[1]))
    way *= (reach * rng.random(n) ** (1.0 / way.shape[1]) / np.linalg.norm(way, axis=1))[:, None]
    return good[of] + way


def certain(known: Known, u: Floats, probability: Floats) -> Floats:
    """Weights, shape (n,), of points u (n, d): a high power of the probability, of the model or the neighbours."""
    return np.asarray(np.maximum(probability, probability_by_neighbours(known, u)) ** CERTAINTY)


def probability_by_neighbours(known: Known, u: Floats) -> Floats:
    """A rough probability, shape (n,): the distance to the nearest point that is not good, over its sum with that to
    the nearest good one; 0 where the good one is not the nearer."""
    good, other = _apart(known)
    if not len(good) or not len(other):
        return np.zeros(len(u))
    near, far = cKDTree(good).query(u)[0], cKDTree(other).query(u)[0]
    return np.asarray(np.where(far > near, far / (near + far + 1e-300), 0.0))


def _apart(known: Known) -> tuple[Floats, Floats]:
    """Good points and others, of the newest."""
    u, good = known.u[-NEWEST:], known.good[-NEWEST:]
    return u[good], u[~good]


GATHER = Part("exploit", gather)
