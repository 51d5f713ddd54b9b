"""`goal: collect`: finds many good points soon, instead of an even map.

New points are most probably good near known good points: between them (SMOTE), beyond them, and around each of them up
to the nearest point that is not good. This needs no model, and so works also where the regression fails. The models add
points to which particles move from the good ones, through the region where the models are sure enough.

Nearly all points between good ones are good, but they reach no new part of the region. So candidates that are sure
enough count alike, and the farthest of these are chosen. How sure they must be follows the newest hit rate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from proposer.strategies.balance import between_good_points
from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.basins import minima
from proposer.strategies.lode.sample import move
from proposer.strategies.lode.select import Candidates, even, hits, probability_of_an_answer
from proposer.strategies.lode.thin import Thin
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

BEGIN = 10
"""The number of good points at which collecting starts."""
UNIFORM = 0.01
"""The fraction of a batch that is drawn from the prior."""
OTHER_REGIONS, FIRST_GOOD = 0.25, 100
"""The fraction of the points that the parts `bowl` and `basin` would have for a map, and the number of good points from
which on they have any.
"""
EACH = 2000
"""The number of candidates between good points, and the number of candidates around them. Twice as many lie beyond."""
NEIGHBOURS, BEYOND = 5, 1.5
"""The number of neighbours of a good point for SMOTE and for points beyond it, and the largest distance of the points
beyond it, in units of the distance to the neighbour.
"""
PARTICLES, MOVES = 800, 40
"""The number of particles that move from good points, and of their moves. After 12 moves, particles of multi10d were
still near their start, and a batch reached half as many new parts.
"""
NEWEST = 10_000
"""The number of newest points that give and judge candidates."""
GOOD, LAST, OF_ALL = 0.9, 100, 4
SUREST, LEAST_SURE = 0.95, 0.6
"""Candidates above a certain probability count alike. It is SUREST if at most the fraction GOOD of the LAST collected
points (or as many as 1 / OF_ALL of all points, if these are more) is good, LEAST_SURE if all are, and linear in
between. With only the LAST ones, each batch in which all points were good was followed by two later on that went too
far, because the results come a batch late: 34 of 73 and 30 of 81 points of balls50_5d were good. With LEAST_SURE = 0.5,
a candidate was sure enough if only one judge took it for good, and once only 12 of 171 points of a thin toy3d were
good.
"""
CERTAINTY, DARING = 24.0, 4.0
"""The powers of the probability below that, and of the distance: a candidate that is twice as far from other points may
have 2^(-DARING / CERTAINTY) of the probability. With CERTAINTY = 12, a fifth of the first hundred collected points of
multi8d and multi10d were bad.
"""
LEAST_WEIGHT = 0.1
"""Only candidates with this fraction of the weight of the n-th best are chosen, if n points are wanted. Otherwise bad
candidates that are very far away would be chosen too.
"""
MOST_TRUST = 0.9
"""The largest weight of the other models. They have half of the weight, or more if their error is smaller than that of
the main model. With half, multi10d (seed 71) reached 0.06 of the parts, because the networks know only the
neighbourhood of the good points there.
"""
DOUBT = 0.05
"""The square of this is the weight of a candidate that all other models take for bad. If these models are wrong, they
take nearly all candidates for bad, and change little.
"""


def gather(context: Context, n: int) -> Floats:
    """A part: the candidates that are sure enough and farthest from known good points."""
    u, n = context.candidates, min(n, len(context.candidates))
    if not n:
        return u
    model, others = judges(context, context.random)
    # the candidates have the probabilities of the usual model
    p = context.probability if context.leading is None else model(u) * probability_of_an_answer(context.known, u)
    weight = certain(context.known, u, p, others, trusted(context.surrogate.weight_of_others))
    best = weight >= LEAST_WEIGHT * np.partition(weight, -n)[-n]
    u, weight = u[best], weight[best]
    return np.asarray(u[even(Candidates(context.positions(u), weight), context.taken(), n, DARING)])


def other_regions(context: Context, n: int) -> Floats:
    """A part: minima of bowls, where other regions may be. Steps downhill in basins wait for the part `basin`."""
    if int(context.known.good.sum()) < FIRST_GOOD:
        return np.empty((0, context.dim))
    return minima(context, round(OTHER_REGIONS * n))


def judges(
    context: Context, rng: np.random.Generator
) -> tuple[Callable[[Floats], Floats], Sequence[Callable[[Tensor], Tensor]]]:
    """The main model, which maps points, shape (n, d), to the probability of being good, shape (n,), and the other
    models. If there is a trend, it replaces all of them.
    """
    trend = context.leading
    if trend is not None:
        return lambda u: trend.probability(context.positions(u)), ()
    return lambda u: context.surrogate.probability(u, rng), context.surrogate.others()


def enough(known: Known) -> float:
    """The probability above which candidates count alike."""
    last = max(LAST, len(known.good) // OF_ALL)
    spare = max(0.0, hits(known, GATHER.origin, last, GOOD) - GOOD) / (1.0 - GOOD)
    return SUREST + (LEAST_SURE - SUREST) * spare


def agreement(models: Sequence[Callable[[Tensor], Tensor]], u: Floats) -> Floats:
    """The fraction of the models, shape (n,), that take a point for good, for points u, shape (n, d). A model maps
    points, shape (n, d), to energies, shape (n,). Without a model it is 0.
    """
    if not models:
        return np.zeros(len(u))
    return np.asarray(np.mean([model(torch.from_numpy(u)).numpy() < 1.0 for model in models], axis=0))


def beside_good_points(context: Context) -> Floats:
    """A source: candidates between, around and beyond good points, and moved particles, shape (n, d), in the cube."""
    thin = Thin.of(context.known)
    near = candidates(thin.known, context.generator("collect"))
    beyond = beyond_good_points(thin.known, 2 * EACH, context.generator("beyond"))
    return np.concatenate([np.clip(thin.back(np.concatenate([near, beyond])), 0.0, 1.0), moved(context)])


def moved(context: Context) -> Floats:
    """Points, shape (n, d), to which particles moved from good points inside the region where the models are sure
    enough.
    """
    good, _ = _apart(context.known)
    if not len(good):
        return good
    rng, level = context.generator("moved"), enough(context.known)
    probability, others = judges(context, rng)
    trust = trusted(context.surrogate.weight_of_others)
    random = torch.Generator().manual_seed(int(rng.integers(2**63)))

    def energy(u: Tensor) -> Tensor:
        by_model, by_others = probability(u.numpy()), agreement(others, u.numpy())
        return torch.from_numpy(level / (judged(by_model, by_others, trust) + 1e-300))

    p = torch.from_numpy(good[rng.integers(len(good), size=PARTICLES)])
    e = energy(p)
    p, e = p[e < 1.0], e[e < 1.0]
    for _ in range(MOVES if len(p) else 0):
        p, e = move(energy, p, e, 1.0, random)
    return p.numpy()


def candidates(known: Known, rng: np.random.Generator) -> Floats:
    """Points, shape (n, d), between and around the newest good points. Only the newest are used, so that the cost does
    not grow.
    """
    u, good = known.u[-NEWEST:], known.good[-NEWEST:]
    return np.concatenate(
        [
            between_good_points(u, good, NEIGHBOURS, EACH, rng),
            around_good_points(known, EACH, rng),
        ]
    )


def around_good_points(known: Known, n: int, rng: np.random.Generator) -> Floats:
    """n points, shape (n, d), uniform in balls around good points. A ball reaches to the nearest point that is not
    good.
    """
    good, other = _apart(known)
    if not len(good) or not len(other):
        return np.empty((0, known.u.shape[1]))
    of = rng.integers(len(good), size=n)
    reach = np.asarray(cKDTree(other).query(good)[0])[of]
    way = rng.standard_normal((n, known.u.shape[1]))
    way *= (reach * rng.random(n) ** (1.0 / way.shape[1]) / np.linalg.norm(way, axis=1))[:, None]
    return good[of] + way


def beyond_good_points(known: Known, n: int, rng: np.random.Generator) -> Floats:
    """n points, shape (n, d), on lines from a neighbour through a good point, and behind it."""
    good, _ = _apart(known)
    if len(good) < 2:
        return np.empty((0, known.u.shape[1]))
    near = np.asarray(cKDTree(good).query(good, k=min(NEIGHBOURS + 1, len(good)))[1])
    of = rng.integers(len(good), size=n)
    neighbour = near[of, rng.integers(1, near.shape[1], size=n)]
    return np.asarray(good[of] + BEYOND * rng.random((n, 1)) * (good[of] - good[neighbour]))


def certain(
    known: Known,
    u: Floats,
    probability: Floats,
    models: Sequence[Callable[[Tensor], Tensor]] = (),
    trust: float = 0.5,
) -> Floats:
    """Weights, shape (n,), of points u (n, d): 1 if they are sure enough, and a high power of their probability below.

    `probability`, shape (n,), is that of the main model. Another judge may raise it to the mean of both: the
    neighbours, or the fraction of the other `models` that take a point for good, which has the weight `trust`. Points
    that few of these models take for good count less.
    """
    agree = agreement(models, u)
    doubted = (DOUBT + agree) ** 2 if models else 1.0
    sure = surest(known, u, probability, agree, trust)
    return np.asarray(doubted * np.minimum(sure / enough(known), 1.0) ** CERTAINTY)


def surest(known: Known, u: Floats, probability: Floats, agree: Floats, trust: float) -> Floats:
    """The probability of being good, shape (n,), of points u (n, d), by the judge that is surest: the main model alone
    (`probability`), or with the neighbours, or with the other models, of which the fraction `agree` take a point for
    good; shape (n,) each.
    """
    thin = Thin.of(known)
    by_neighbours = judged(probability, probability_by_neighbours(thin.known, thin.there(u)))
    return np.maximum(by_neighbours, judged(probability, agree, trust))


def judged(probability: Floats, other: Floats, trust: float = 0.5) -> Floats:
    """The probability of the main model, or its mean with that of another judge if this is larger, shape (n,). The
    other judge has the weight `trust`.
    """
    return np.asarray(np.maximum(probability, trust * other + (1.0 - trust) * probability))


def trusted(weight: float) -> float:
    """The weight of the other models: `weight`, by the errors, within bounds."""
    return min(MOST_TRUST, max(0.5, weight))


def probability_by_neighbours(known: Known, u: Floats) -> Floats:
    """A rough probability, shape (n,), of points u (n, d) to be good: b / (a + b) with the distances a to the nearest
    good point and b to the nearest other point; 0 if a >= b.
    """
    good, other = _apart(known)
    if not len(good) or not len(other):
        return np.zeros(len(u))
    near, far = cKDTree(good).query(u)[0], cKDTree(other).query(u)[0]
    return np.asarray(np.where(far > near, far / (near + far + 1e-300), 0.0))


def _apart(known: Known) -> tuple[Floats, Floats]:
    """The good points and the other points among the newest."""
    u, good = known.u[-NEWEST:], known.good[-NEWEST:]
    return u[good], u[~good]


GATHER = Part("exploit", gather)
REGIONS = Part("bowl", other_regions)
