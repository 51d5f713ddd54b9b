"""Which points to evaluate next.

A batch is mostly the points that the surrogate takes for good, spread evenly (exploit);
some that may be good (explore); and a few uniform ones, in case it is wrong everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from proposer.types import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known

DARING, DARING_BY_DIMENSION = 3.0, 0.4
"""Points twice as far from others may have 2^-DARING of the probability, in more than seven dimensions d 2^(-0.4 d):
with 3 in ten, 2 % more of the parts were left out. In one and two dimensions 2^-d, as the gap is larger: with 3 in two,
a tenth more evaluations were bad, and of the fifth thousand every second one."""
LEAST_PROBABILITY, FALLS = 1e-3, 1000.0
"""Where nothing looks good, points are spread all the same; in one and two dimensions less so with FALLS points in
place, as gaps inside the good region become small beside those outside."""
_NEIGHBOURS = 8  # of a point, for the probability that a code fails there


@dataclass(frozen=True)
class Candidates:
    """Points u, shape (n, d), with the probability of being good, shape (n,)."""

    u: Floats
    probability: Floats


def daring(dim: int) -> float:
    """The power of the distance in `even`."""
    return min(float(dim), max(DARING, DARING_BY_DIMENSION * dim))


def even(candidates: Candidates, occupied: Floats, n: int, power: float = DARING) -> NDArray[np.int64]:
    """Positions of n candidates that even out what is `occupied`, shape (k, d).

    Each next one is the farthest from all that are occupied or chosen (maximin), its
    distance to the power `power` weighed with its probability of being good. So thin places fill up first, wherever
    the candidates themselves are denser than they should be. Fewer than n where no other
    candidate is at a place of its own.
    """
    u = candidates.u
    distance = np.full(len(u), np.sqrt(u.shape[1]))
    if len(occupied):
        distance = np.asarray(cKDTree(occupied).query(u)[0])
    least = LEAST_PROBABILITY / (1.0 + len(occupied) / FALLS) if power < DARING else LEAST_PROBABILITY
    weight = candidates.probability + least
    chosen: list[int] = []
    for _ in range(min(n, len(u))):
        best = int(np.argmax(distance**power * weight))
        if distance[best] <= 0.0:
            break
        chosen.append(best)
        distance = np.minimum(distance, np.sqrt(((u - u[best]) ** 2).sum(axis=1)))
        distance[best] = 0.0
    return np.array(chosen, dtype=np.int64)


def undiscovered(levels: list[tuple[Floats, float]], most: int) -> tuple[Floats, Floats]:
    """At most `most` points between the levels of a subset simulation, and the volume that a point stands for."""
    of_one = max(1, most // max(1, len(levels)))
    kept = [(u[:of_one], volume / max(1, len(u[:of_one]))) for u, volume in levels]
    return np.concatenate([u for u, _ in kept]), np.concatenate([np.full(len(u), volume) for u, volume in kept])


def uncertain(
    candidates: Candidates, volume: Floats, busy: Floats, n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Positions of n candidates, drawn by the good volume that is expected there, times the cube of the distance from
    busy points: a region that nobody has seen is far from all of them."""
    weight = volume * candidates.probability
    n = min(n, int((weight > 0).sum()))
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    distance = cKDTree(busy).query(candidates.u)[0] if len(busy) else np.ones(len(candidates.u))
    weight = weight * distance**DARING + 1e-300
    return rng.choice(len(weight), size=n, replace=False, p=weight / weight.sum())


def not_yet(u: Floats, busy: Floats) -> NDArray[np.int64]:
    """Positions of the rows of u (n, d) that equal no row of `busy` (k, d) and no earlier row of u, in order."""
    first = np.unique(np.concatenate([busy, u]), axis=0, return_index=True)[1]
    return np.sort(first[first >= len(busy)]) - len(busy)


def hits(known: Known, origins: str | Sequence[str], last: int = 300, untried: float = 0.5) -> float:
    """The share of good ones among the last points of an origin, or of several; `untried` while there are none."""
    of = np.flatnonzero(np.isin(known.origins, origins))[-last:]
    return (float(known.good[of].sum()) + 2.0 * untried) / (len(of) + 2.0)


def probability_of_an_answer(known: Known, u: Floats) -> Floats:
    """The share, shape (n,), of points near u (n, d) that got an answer, a little pulled to one: FAILED and TIMED_OUT
    cost an evaluation and say nothing more."""
    if known.answered.all():
        return np.ones(len(u))
    near = cKDTree(known.u).query(u, k=min(_NEIGHBOURS, len(known.u)))[1].reshape(len(u), -1)
    return np.asarray((known.answered[near].sum(axis=1) + 1.0) / (near.shape[1] + 1.0))
