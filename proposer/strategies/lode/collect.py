"""`goal: collect`: finds many good points soon, instead of an even map.

New points are most probably good near known good points: between them (SMOTE), and around each of them up to the
nearest point that is not good. This needs no model, and so works also where the regression fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from proposer.strategies.balance import between_good_points
from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.select import Candidates, even
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known

BEGIN = 10
"""The number of good points at which collecting starts; before that, the map searches."""
UNIFORM = 0.01
"""The fraction of a batch that is drawn from the prior."""
EACH = 2000
"""The number of candidates between good points, and the number of candidates around them."""
NEIGHBOURS = 5
"""The number of neighbours of a good point for SMOTE."""
NEWEST = 10_000
"""The number of newest points that give and judge candidates."""
CERTAINTY, DARING = 6.0, 1.0
"""A candidate that is twice as far from other points may have 2^(-1/6) of the probability. With DARING = 3, as in a
map, most steps on thin curved regions went outside.
"""

DOUBT = 0.05
"""The weight of a candidate that all other models take for bad. If these models are wrong, they take nearly all
candidates for bad, and change little.
"""


def gather(context: Context, n: int) -> Floats:
    """A part: the candidates with the highest probability. Distances hardly count."""
    weight = certain(context.known, context.candidates, context.probability) * agreement(
        context.surrogate.others(), context.candidates
    )
    best = Candidates(context.positions(context.candidates), weight)
    return context.candidates[even(best, context.taken(), n, DARING)]


def agreement(models: Sequence[Callable[[Tensor], Tensor]], u: Floats) -> Floats:
    """Weights, shape (n,), of points u, shape (n, d): DOUBT plus the fraction of the models that take a point for good;
    1 without models. A model maps points, shape (n, d), to energies, shape (n,).
    """
    if not models:
        return np.ones(len(u))
    agree = np.mean([model(torch.from_numpy(u)).numpy() < 1.0 for model in models], axis=0)
    return np.asarray(DOUBT + agree)


def beside_good_points(context: Context) -> Floats:
    """A source: candidates between and around good points, shape (n, d), within the cube."""
    return np.clip(candidates(context.known, context.generator("collect")), 0.0, 1.0)


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


def certain(known: Known, u: Floats, probability: Floats) -> Floats:
    """Weights, shape (n,), of points u (n, d): a high power of the probability by the model, shape (n,), or of that by
    the neighbours if it is larger.
    """
    return np.asarray(np.maximum(probability, probability_by_neighbours(known, u)) ** CERTAINTY)


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
