"""Many separate regions: each basin is followed to its bottom, for a few evaluations.

A model of the whole cube does not see a hundred small regions before it has a good point in each of them. A basin needs
no such model: each known point that is lower than all its neighbours is improved by a small Gaussian process of the
points around it (`local.py`), until it is good or its bottom is known. New basins are looked for in the largest holes
between the points. The fraction of a batch for basins depends on how often such points began a new part of the good
region, compared with the points of the other parts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.bowls import SAME, Bowls, guess, learn
from proposer.strategies.lode.local import descend, ways
from proposer.strategies.lode.residuals import FARTHEST
from proposer.strategies.lode.select import Candidates, even
from proposer.strategies.lode.spread import lowest
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proposer.strategies.lode.acquire import Context
    from proposer.strategies.lode.points import Known
    from proposer.strategies.lode.surrogate import Surrogate

MOST, PAYS = 0.7, 0.1
"""The largest fraction of a batch. It is reached if the fraction PAYS / d of these points began new parts of the
region, and no point of another part did. (A descent needs points in proportion to d.)
"""
FINDS, TRIED, LAST = 1.0, 20.0, 300
"""Before the first try, such points are assumed to begin FINDS new parts per TRIED d points. Only the LAST points
count.
"""
TRUSTED, NEWEST, STRICT = 5.0, 100, 4
"""Before the first try, minima of bowls are assumed to begin FINDS new parts per TRUSTED points. The NEWEST such points
count, and are compared with the steps downhill by the power STRICT.
"""
SMALLER = 0.8
"""A batch is smaller by this part of the fraction for basins, because each step of a descent needs the results of the
steps before. With batches of 200, too few basins were open, and the rest of the points went to slopes of known regions.
"""
MOST_DIM = 6
"""In more dimensions, neighbours do not show whether a region is separate, because they lie all over the cube."""
THESE = ("basin", "bowl")
OTHERS = ("explore", "probe", "exploit", "solve", "fill")
BY_MODEL, REACHED, FAR = ("exploit", "solve"), 100, 64.0
"""How far a good point must be from all earlier good points to begin a new part.

Take the ball around a good point that reaches to the nearest earlier good point. For a new part, its volume is at least
FAR times the median volume for the last REACHED good points that the model chose. So in at most three dimensions, a new
part is four times as far. Closer points belong to regions that the model fills anyway, as most good points of basins do
on thin shells.
"""
AROUND = (1.0, 0.5, 0.0)
"""The lowest known point of a basin is lower than its d neighbours. With 2 d, most basins beside a good region were not
seen, because some of the neighbours are in this region, and lower. Points lower than d / 2 neighbours come after these
basins, and points lower than their nearest neighbour come last, because more of them are false. Without the last ones,
up to a third of the basins on whose slopes points were known was not seen.
"""
EACH, OUT = 2, 0.5
"""The number of points for a basin in a batch. A basin waits as long as a point without a result is closer to its
lowest point than OUT mean distances to the neighbours.
"""
TOWARDS = 2.0
"""A basin without a ridge is left out if the way downhill misses the nearest good point by less than TOWARDS times the
distance of `reach`.
"""
MOST_BASINS, MOST_BOWLS = 600, 200
"""The largest number of basins that are looked at for a batch, and of those whose bowls are guessed."""
LIKELY = 0.1
"""The minimum of a bowl gets a point if it is good with at least this probability. Otherwise the basin gets steps
downhill, after those points.
"""
HOLES = 0.15
"""The least fraction of these points in holes, once this part has found something. Without points in holes, the basins
that were never found had few points on their slopes, or none, because *explore* stays close to what the model knows.
"""
DRAWN = 2000
"""The number of points from which those in the largest holes are chosen."""


def began(known: Known, rows: NDArray[np.int64]) -> int:
    """How many of the points at the positions `rows` began a new part of the region: they are good, but none of their
    neighbours at that time was, and the model would not have reached them.
    """
    dim = known.u.shape[1]
    count, far = 2 * dim, FAR ** (1.0 / max(3, dim)) * reach(known)
    found = 0
    for row in rows[known.good[rows]].tolist():
        distance = cdist(known.u[row : row + 1], known.u[:row])[0]
        near = np.argpartition(distance, count)[:count] if row > count else np.arange(row)
        found += not known.good[near].any() and distance[known.good[:row]].min(initial=np.inf) > far
    return found


def reach(known: Known) -> float:
    """The median distance of the last good points that the model chose from the nearest good point before them; 0
    without any.
    """
    good = np.flatnonzero(known.good)
    of_model = np.flatnonzero(np.isin(known.origins[good], BY_MODEL))[-REACHED:]
    gaps = [cdist(known.u[good[[at]]], known.u[good[:at]]).min() for at in of_model.tolist() if at]
    return float(np.median(gaps)) if gaps else 0.0


def rate(known: Known, origins: Sequence[str], tried: float, finds: float = FINDS, last: int = LAST) -> float:
    """The fraction of the last points of these origins that began a new part, as if `tried` more points had begun
    `finds` new parts.
    """
    rows = np.flatnonzero(np.isin(known.origins, origins))[-last:]
    return (began(known, rows) + finds) / (len(rows) + tried)


def share(known: Known, by_observables: bool = False) -> float:
    """The fraction of a batch for basins. A model of observables sees most basins itself, so that it falls faster there
    where few points begin a new part. With the power 2, toy3d (seeds 3, 4) took 1,685 and 1,646 evaluations to a
    thousand good points instead of 1,528 and 1,514.
    """
    dim = known.u.shape[1]
    these, others = rate(known, THESE, TRIED * dim), rate(known, OTHERS, 1.0, finds=0.0)
    pays = min(1.0, these * dim / PAYS) ** (STRICT if by_observables else 2)
    return float(MOST * pays * these**2 / (these**2 + others**2))


def trust(known: Known) -> float:
    """The fraction of the basins, and of the points for them, for which the shape of the known regions counts. It
    follows what the minima of bowls found, compared with steps downhill, because regions need not look alike.
    """
    by_bowls = rate(known, ("bowl",), TRUSTED, last=NEWEST)
    by_steps = rate(known, ("basin",), TRIED * known.u.shape[1])
    return by_bowls**STRICT / (by_bowls**STRICT + by_steps**STRICT)


def size(known: Known, surrogate: Surrogate, n: int) -> int:
    """The number of points of a batch that would have n points without basins. With observables, few points go to
    basins, and the batch is not smaller.
    """
    smaller = known.u.shape[1] <= MOST_DIM and not surrogate.by_observables
    return round(n * (1.0 - SMALLER * share(known))) if smaller else n


class Found(NamedTuple):
    """Points for basins: the minima of bowls, shape (k, d), and the others, shape (m, d)."""

    minima: Floats
    others: Floats


def follow(context: Context, n: int) -> Found:
    """Points for each basin whose bottom is unknown and in which no point is waiting for its result. Once such points
    have begun a new part of the region, the rest of the share is in the largest holes between all points.

    A model of observables sees most basins itself. So there are only minima of bowls, and steps downhill once these
    parts have begun a new part of the region.
    """
    known, rng, none = context.known, context.generator("basin"), np.empty((0, context.dim))
    if context.dim > MOST_DIM:
        return Found(none, none)
    n = round(share(known, context.surrogate.by_observables) * n)
    pays = began(known, np.flatnonzero(np.isin(known.origins, THESE))[-LAST:]) > 0
    in_holes = pays and not context.surrogate.by_observables
    minima, others = steps(context, n - round(HOLES * n) if in_holes else n, rng)
    if context.surrogate.by_observables and not pays:
        others = none
    if in_holes:
        every = np.concatenate([context.busy, minima, others])
        others = np.concatenate([others, holes(every, n - len(minima) - len(others), rng)])
    return Found(context.snap(minima), context.snap(others))


def minima(context: Context, n: int) -> Floats:
    """A part: the minima of bowls. The other points for basins wait for `downhill`."""
    found = follow(context, n)
    context.downhill = found.others
    return found.minima


def downhill(context: Context, n: int) -> Floats:
    """A part: points downhill in basins, and in holes."""
    return context.downhill[:n]


def steps(context: Context, n: int, rng: np.random.Generator) -> Found:
    """At most n points towards the bottoms of the basins."""
    known, none = context.known, np.empty((0, context.dim))
    of, widths, sure = bottoms(known)
    open_ = ~known.good[of]
    if len(context.pending):
        open_ &= np.asarray(cKDTree(context.pending).query(known.u[of])[0]) > OUT * widths
    of, widths, sure = of[open_], widths[open_], sure[open_]
    chosen = distinct(known.u[of], widths, MOST_BASINS if n > 0 else 0)
    if not len(chosen):
        return Found(none, none)
    seen = np.flatnonzero(np.isfinite(known.rising) | known.invalid)
    u, energy = known.u[seen], known.rising[seen].clip(max=FARTHEST)
    where, widths, sure = np.searchsorted(seen, of[chosen]), widths[chosen], sure[chosen]
    first, aims = np.arange(len(where)), none
    if known.good.any():
        ridge, missed = ways(u, energy, where, widths, to=nearest(known.u[known.good], u[where]))
        first = separate(ridge, missed, sure, near=TOWARDS * reach(known))
    valid = np.isfinite(energy)
    u_valid, energy_valid, among = u[valid], energy[valid], np.cumsum(valid)[where] - 1
    learned = learn(u_valid, energy_valid, known.good[seen[valid]])
    if learned is not None:
        trusting = trust(known)
        trusted = rng.random(len(first)) < trusting
        open_ = ~(trusted & learned.explained[among[first]])
        first, trusted = first[open_], trusted[open_]
        unlike = asked = first[trusted][:MOST_BOWLS]
        if len(asked):
            bowls, chance = guess(u_valid, energy_valid, among[asked], learned, rng)
            likely, others = likeliest(bowls, chance, np.concatenate([known.u[known.good], context.pending]))
            aims, unlike = bowls.centre[likely[: round(trusting * n)]].clip(0.0, 1.0), asked[others]
        first = first[np.isin(first, np.concatenate([first[~trusted], unlike]))]
    first = first[: -(-(n - len(aims)) // EACH)]
    if not len(first):
        return Found(aims, none)
    lower = descend(u, energy, where[first], widths[first], each=EACH, rng=rng).reshape(-1, context.dim)
    return Found(aims, lower[: n - len(aims)])


def likeliest(bowls: Bowls, chance: Floats, occupied: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions of the bowls whose minima get a point, and of the basins that get steps downhill.

    A minimum is good with the probability `chance`, shape (n,), and gets a point if that is LIKELY. Of bowls that are
    the same, the first one gets it, and none if a point of `occupied`, shape (k, d), is in the bowl. Basins in a bowl
    that gets a point get no steps.
    """
    likely: list[int] = []
    for number in np.flatnonzero(chance > LIKELY).tolist():
        there = np.concatenate([occupied, bowls.centre[likely]])
        if not (bowls.take(np.array([number])).above(there) < SAME).any():
            likely.append(number)
    same = (bowls.above(bowls.centre[likely]) < SAME).any(axis=1)
    return np.array(likely, dtype=np.int64), np.flatnonzero((chance <= LIKELY) & ~same)


def nearest(good: Floats, u: Floats) -> Floats:
    """Those of the points `good`, shape (k, d), that are nearest to the points u, shape (n, d)."""
    return np.asarray(good[np.asarray(cKDTree(good).query(u)[1])])


def separate(ridge: NDArray[np.bool_], missed: Floats, sure: NDArray[np.bool_], *, near: float) -> NDArray[np.int64]:
    """The positions, shape (at most n,), of the basins that get points, in this order. Those that are `sure`, shape
    (n,), come before the others. Among both, those with a ridge, shape (n,), between them and the nearest good point
    come first, in their old order. The others may be slopes of known regions. Those whose way downhill misses this good
    point by the largest distance, one of `missed`, shape (n,), come first. Those that miss it by less than `near` are
    left out.
    """
    order = np.lexsort((np.where(ridge, np.arange(len(ridge)), -missed), ~ridge, ~sure))
    return np.asarray(order[(ridge | (missed > near))[order]])


def bottoms(known: Known) -> tuple[NDArray[np.int64], Floats, NDArray[np.bool_]]:
    """Positions, shape (n,), of points that may be the lowest of a basin, the surest first; the mean distances, shape
    (n,), to their neighbours; and whether they are lower than their nearest neighbour, shape (n,).
    """
    found = [lowest(known, around) for around in AROUND]
    others = lowest(known, than_one=True)
    of, widths = (np.concatenate(parts) for parts in zip(*found, others, strict=True))
    return of, widths, np.arange(len(of)) < len(of) - len(others[0])


def distinct(u: Floats, widths: Floats, most: int) -> NDArray[np.int64]:
    """The positions of at most `most` of the points u, shape (n, d), each in a basin of its own. A point is chosen if
    its distance from all earlier chosen points is larger than its width, one of `widths`, shape (n,).
    """
    chosen: list[int] = []
    for row in range(len(u)):
        if len(chosen) == most:
            break
        if (np.linalg.norm(u[chosen] - u[row], axis=1) > widths[row]).all():
            chosen.append(row)
    return np.array(chosen, dtype=np.int64)


def holes(busy: Floats, n: int, rng: np.random.Generator) -> Floats:
    """n points of the cube, shape (n, d): each is the farthest of many from the points `busy` (k, d) and from the
    others.
    """
    drawn = rng.random((DRAWN, busy.shape[1]))
    return np.asarray(drawn[even(Candidates(drawn, np.ones(len(drawn))), busy, n)])


BOWLS, BASINS = Part("bowl", minima), Part("basin", downhill)
