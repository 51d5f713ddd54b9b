"""Searches for a lower NLL with a part of each batch, if the target follows the best NLL.

The region moves with the best point, so the search must find the global minimum, and not stop at a local one. While the
lowest NLL falls, half of these points are the lowest minima that the model predicts below the best point, anywhere.
The others are steps downhill in basins whose bottom is not known.

A deeper minimum that is hidden beside a wide region is at first seen by one point on its slope. This point is not lower
than its neighbours, which lie in the wide region, but it is lower than the models say. So some points are always near
such points. After the lowest NLL has stopped falling, most are there, or in the largest holes between all points.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.spatial import cKDTree

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.basins import DRAWN, FINDS, LAST, OUT, TRIED, began
from proposer.strategies.lode.descend import apart, beside
from proposer.strategies.lode.local import descend
from proposer.strategies.lode.probe import RANDOM, minima
from proposer.strategies.lode.select import Candidates, even
from proposer.strategies.lode.spread import AROUND, BASINS, TINY, basins

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from proposer.strategies.lode.acquire import Acquisition, Context
    from proposer.strategies.lode.points import Known
    from proposer.strategies.lode.surrogate import Surrogate
    from proposer.types import Floats

FALLING, RESTING = 0.5, 0.15
"""The fractions of a batch while the lowest NLL falls, and when it first stops. From then on, the fraction is in
proportion to that of these points that began a new part of the region, as a deeper minimum does. New parts are counted
as for *basin*. Only the LAST points count, so the fraction never falls to 0.
"""
STEPS = 10
"""While the lowest NLL counts as falling, the fraction is half of FALLING once STEPS d such points have not lowered it.
After 1,000 points, it counts as falling for 250 more, and half of them found nothing.
"""
OF_EACH = (0.2, 0.4, 0.4)
"""The mean fractions of these points for minima of the model, surprising points, and holes, once it has stopped."""
BESIDE = 4
"""The number of points in a batch beside each of the most surprising points."""
MOST_SEEN = 2000
"""The largest number of known points whose energies are compared with the models for a batch."""
PATIENCE, FALL = 60, 0.05
"""The lowest NLL has stopped if the last PATIENCE answers, or the last quarter of all answers if these are more,
lowered the energy by less than FALL. The energy falls by 1 / 2 over the height of the region.
"""
AT_BEST = 0.5
"""The energy of the best point."""


def stopped(known: Known) -> NDArray[np.bool_]:
    """Whether the lowest NLL had stopped falling before each of n points, and after the last one, shape (n + 1,)."""
    has_energy = np.isfinite(known.plain)
    lowest = np.minimum.accumulate(known.plain[has_energy])
    count = np.arange(len(lowest) + 1)
    before = count - np.maximum(PATIENCE, count // 4)
    rests = before > 0
    rests[rests] = lowest[before[rests] - 1] - lowest[count[rests] - 1] <= FALL
    return np.asarray(rests[np.concatenate([[0], np.cumsum(has_energy)])])


def share(known: Known, rests: NDArray[np.bool_]) -> float:
    """The fraction of a batch for these points; `rests` is what `stopped` returns."""
    tried, dim = known.origins == LOWER.origin, known.u.shape[1]
    if rests[-1]:
        rows = np.flatnonzero(rests[:-1] & tried)[-LAST:]
        return float(min(FALLING, RESTING * (1.0 + began(known, rows) / FINDS) / (1.0 + len(rows) / (TRIED * dim))))
    fell = int(np.argmax(known.plain <= AT_BEST + FALL))
    return float(FALLING / (1.0 + np.count_nonzero(tried[fell:]) / (STEPS * dim)))


def lower(context: Context, n: int) -> Floats:
    """A part: points that may have a lower NLL than all known points."""
    rests = stopped(context.known)
    mean = share(context.known, rests) * context.n
    n = min(n, int(mean + context.generator("lower share").random()))
    return context.snap(_elsewhere(context, n) if rests[-1] else _near(context, n))


def _near(context: Context, n: int) -> Floats:
    """n points while the lowest NLL falls."""
    found = _predicted(context, (n + 1) // 2, AT_BEST)
    seen = _surprising(context, min(BESIDE, n // 4), context.generator("surprising"))
    of = basins(context.known, min(BASINS, n))
    n -= len(found) + len(seen)
    rest = beside(context.surrogate.members, context.known, of, n, context.generator("basins below"))
    return np.concatenate([found, seen, rest])


def _elsewhere(context: Context, n: int) -> Floats:
    """n points after it has stopped."""
    rng = context.generator("elsewhere")
    predicted, surprising = rng.multinomial(n, OF_EACH)[:2].tolist()
    found = [_predicted(context, predicted, AT_BEST - FALL), _surprising(context, surprising, rng)]
    busy = np.concatenate([context.busy, *found])
    return np.concatenate([*found, _holes(busy, n - len(busy) + len(context.busy), rng)])


def _holes(busy: Floats, n: int, rng: np.random.Generator) -> Floats:
    """n points of the cube, shape (n, d), far from the points `busy`, shape (k, d), and from each other.

    Distances are measured as if opposite walls were joined, with each variable on a circle. Otherwise nearly all of
    these points are in corners if there are many dimensions, and no minimum that lies elsewhere is found.
    """
    drawn = rng.random((DRAWN, busy.shape[1]))
    return np.asarray(drawn[even(Candidates(_circles(drawn), np.ones(DRAWN)), _circles(busy), n)])


def _circles(u: Floats) -> Floats:
    """Each variable of points, shape (n, d), on a circle with the circumference 1, shape (n, 2 d)."""
    angle = 2.0 * np.pi * u
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1) / (2.0 * np.pi)


def _surprising(context: Context, n: int, rng: np.random.Generator) -> Floats:
    """At most n points, shape (n, d), where known points are lower than the models say. A process of the errors of the
    models, from the points around, predicts where the next ones are lower still. Good points count, too: a narrow
    minimum may lie in a wide one, and the models smooth it away.
    """
    known = context.known
    seen = np.flatnonzero(np.isfinite(known.rising))
    if len(seen) > MOST_SEEN:
        seen = np.sort(rng.choice(seen, MOST_SEEN, replace=False))
    u = known.u[seen]
    error = np.log1p(known.energy[seen].clip(0.0)) - np.log1p(_middle(context.surrogate, u).clip(0.0))
    distance = np.asarray(cKDTree(u).query(u, k=min(AROUND * context.dim + 1, len(u)))[0]).reshape(len(u), -1)
    width = distance[:, 1:].mean(axis=1)
    open_ = (error < 0.0) & (width > TINY * np.sqrt(context.dim))
    if len(context.pending):
        open_ &= np.asarray(cKDTree(context.pending).query(u)[0]) > OUT * width
    of = np.flatnonzero(open_)
    of = apart(u, of[np.argsort(error[of], kind="stable")], -(-n // BESIDE))
    if not len(of):
        return np.empty((0, context.dim))
    return descend(u, error, of, width[of], each=BESIDE, rng=rng).reshape(-1, context.dim)[:n]


def _middle(surrogate: Surrogate, u: Floats) -> Floats:
    """The median energy, shape (n,), of all models at points u, shape (n, d)."""
    others = [model(torch.from_numpy(u)).detach().numpy() for model in surrogate.others()]
    return np.asarray(np.median([*surrogate.members(u), *others], axis=0))


def _predicted(context: Context, most: int, energy_below: float) -> Floats:
    """At most `most` minima of the model with a predicted energy below `energy_below`, the lowest first, at some
    distance from each other.
    """
    rng, known = context.generator("lower"), context.known
    low = np.argsort(np.where(np.isfinite(known.plain), known.plain, np.inf), kind="stable")[:RANDOM]
    starts = np.concatenate([rng.random((RANDOM, context.dim)), context.outside, context.inside, known.u[low]])
    u, energy = minima(context.surrogate, np.unique(starts, axis=0), rng)
    below = np.flatnonzero(energy < energy_below)
    distinct = apart(u, below, most)
    more = below[~np.isin(below, distinct)][: most - len(distinct)]
    return np.asarray(u[np.concatenate([distinct, more])])


LOWER = Part("lower", lower)


def with_lower(acquisition: Acquisition) -> Acquisition:
    """The acquisition with this part first."""
    return replace(acquisition, parts=(LOWER, *acquisition.parts))
