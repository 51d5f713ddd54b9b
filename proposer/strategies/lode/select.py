"""Functions that choose the next points.

Most points of a batch are predicted to be good, and spread evenly (exploit). Some may be good (explore), and a few are
uniform, in case the surrogate is wrong everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from proposer.types import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known

BY_MODEL = ("exploit", "solve")
"""The origins of points that the model took for good."""
DARING, DARING_BY_DIMENSION = 3.0, 0.4
"""A candidate that is twice as far from other points may have 2^-p of their probability. In d dimensions, the power p
is the larger of DARING and DARING_BY_DIMENSION d, but at most d, because gaps are larger in one and two dimensions.
With p = 3 in ten dimensions, 2 % more of the parts were left out. With p = 3 in two dimensions, a tenth more of the
evaluations were bad, and half of the fifth thousand.
"""
LEAST_PROBABILITY, FALLS = 1e-3, 1000.0
"""This is added to each probability, so that points are also spread if none seems good. In one and two dimensions it is
divided by 1 + (number of occupied points) / FALLS, because gaps in the good region become smaller than those outside.
"""
_NEIGHBOURS = 8  # number of neighbours of a point, for the probability that a code fails


@dataclass(frozen=True)
class Candidates:
    """Points u, shape (n, d), with their probabilities of being good, shape (n,)."""

    u: Floats
    probability: Floats


class Reach(NamedTuple):
    """Beyond the distance `to`, a larger distance counts with the power `beyond`."""

    to: float
    beyond: float

    def gap(self, distance: Floats, power: float) -> Floats:
        """What gaps are worth, shape (n,), from their distances, shape (n,); `power` is the power up to `to`."""
        return np.asarray(np.minimum(distance, self.to) ** power * np.maximum(distance / self.to, 1.0) ** self.beyond)


def daring(dim: int) -> float:
    """The power of the distance in `even`."""
    return min(float(dim), max(DARING, DARING_BY_DIMENSION * dim))


def even(
    candidates: Candidates,
    occupied: Floats,
    n: int,
    power: float = DARING,
    reach: Reach | None = None,
    least: float | None = None,
) -> NDArray[np.int64]:
    """The positions of n candidates that fill the gaps between the `occupied` points, shape (k, d).

    They are chosen one after the other. The next candidate is the one with the largest probability times
    distance^power; the distance is that to the nearest occupied or chosen point. Beyond `reach`, another power holds.
    So thin parts are filled first, whatever the density of the candidates. `least` is added to each probability; None:
    LEAST_PROBABILITY. The result has fewer than n positions if all other candidates coincide with chosen points.
    """
    u = candidates.u
    distance = np.full(len(u), np.sqrt(u.shape[1]))
    if len(occupied):
        distance = np.asarray(cKDTree(occupied).query(u)[0])
    if least is None:
        least = LEAST_PROBABILITY / (1.0 + len(occupied) / FALLS) if power < DARING else LEAST_PROBABILITY
    weight = candidates.probability + least
    chosen: list[int] = []
    for _ in range(min(n, len(u))):
        gap = distance**power if reach is None else reach.gap(distance, power)
        best = int(np.argmax(gap * weight))
        if distance[best] <= 0.0:
            break
        chosen.append(best)
        distance = np.minimum(distance, np.sqrt(((u - u[best]) ** 2).sum(axis=1)))
        distance[best] = 0.0
    return np.array(chosen, dtype=np.int64)


def well_spread(u: Floats, n: int) -> NDArray[np.int64]:
    """The positions of at most n points that are far apart, among points u, shape (k, d); some of them may coincide."""
    return even(Candidates(u, np.ones(len(u))), u[:0], n)


def undiscovered(levels: list[tuple[Floats, float]], most: int) -> tuple[Floats, Floats]:
    """At most `most` points between the levels of a subset simulation, shape (n, d), and the volumes that they
    represent, shape (n,).
    """
    of_one = max(1, most // max(1, len(levels)))
    kept = [(u[:of_one], volume / max(1, len(u[:of_one]))) for u, volume in levels]
    return np.concatenate([u for u, _ in kept]), np.concatenate([np.full(len(u), volume) for u, volume in kept])


def uncertain(
    candidates: Candidates, volume: Floats, busy: Floats, n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The positions of n candidates, drawn in proportion to their expected good volume times the cube of the distance
    to busy points, because an undiscovered region is far from all of these.
    """
    weight = volume * candidates.probability
    n = min(n, int((weight > 0).sum()))
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    distance = cKDTree(busy).query(candidates.u)[0] if len(busy) else np.ones(len(candidates.u))
    weight = weight * distance**DARING + 1e-300
    return rng.choice(len(weight), size=n, replace=False, p=weight / weight.sum())


def not_yet(u: Floats, busy: Floats) -> NDArray[np.int64]:
    """The positions of the rows of u (n, d) that differ from all rows of `busy` (k, d) and from earlier rows of u, in
    order.
    """
    first = np.unique(np.concatenate([busy, u]), axis=0, return_index=True)[1]
    return np.sort(first[first >= len(busy)]) - len(busy)


class Tried(NamedTuple):
    """Which of n points count as good, and the part of the search that chose each, shape (n,) each."""

    good: NDArray[np.bool_]
    origins: NDArray[np.str_]


def hits(known: Known | Tried, origins: str | Sequence[str], last: int = 300, untried: float = 0.5) -> float:
    """The fraction of good points among the last points of one or several origins. Two more points with the hit rate
    `untried` are added to them, so that few points do not say too much.
    """
    of = np.flatnonzero(np.isin(known.origins, origins))[-last:]
    return (float(known.good[of].sum()) + 2.0 * untried) / (len(of) + 2.0)


def probability_of_an_answer(known: Known, u: Floats) -> Floats:
    """The probability, shape (n,), that points u, shape (n, d), are OK or INVALID: the fraction of such points nearby,
    with one more such point added. A FAILED or TIMED_OUT point costs an evaluation without any information.
    """
    if known.answered.all():
        return np.ones(len(u))
    near = cKDTree(known.u).query(u, k=min(_NEIGHBOURS, len(known.u)))[1].reshape(len(u), -1)
    return np.asarray((known.answered[near].sum(axis=1) + 1.0) / (near.shape[1] + 1.0))
