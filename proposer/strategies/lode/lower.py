"""Searches for a lower NLL with a part of each batch, if the target follows the best NLL.

The region moves with the best point, so the search must find the global minimum, and not stop at a local one. Half of
these points are the lowest minima that the model predicts below the best point, anywhere. The others are steps downhill
in basins whose bottom is not known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from proposer.strategies.lode.acquire import Part
from proposer.strategies.lode.descend import apart, beside
from proposer.strategies.lode.probe import RANDOM, minima
from proposer.strategies.lode.spread import BASINS, basins

if TYPE_CHECKING:
    from proposer.strategies.lode.acquire import Acquisition, Context
    from proposer.strategies.lode.points import Known
    from proposer.types import Floats

FALLING, RESTING = 0.5, 0.06
"""The fractions of a batch while the lowest NLL falls, and after it has stopped."""
PATIENCE, FALL = 60, 0.05
"""The lowest NLL has stopped if the last PATIENCE answers, or the last quarter of all answers if these are more,
lowered the energy by less than FALL. The energy falls by 1 / 2 over the height of the region.
"""
AT_BEST = 0.5
"""The energy of the best point."""


def falling(known: Known) -> bool:
    """Whether the lowest NLL is still falling."""
    energy = known.plain[np.isfinite(known.plain)]
    last = max(PATIENCE, len(energy) // 4)
    return len(energy) <= last or bool(energy[:-last].min() - energy.min() > FALL)


def lower(context: Context, n: int) -> Floats:
    """A part: points that may have a lower NLL than all known points."""
    share = FALLING if falling(context.known) else RESTING
    n = min(n, max(1, round(share * context.n)))
    found = _predicted(context, (n + 1) // 2)
    of = basins(context.known, min(BASINS, n))
    rest = beside(context.surrogate.members, context.known, of, n - len(found), context.generator("basins below"))
    return context.snap(np.concatenate([found, rest]))


def _predicted(context: Context, most: int) -> Floats:
    """At most `most` minima of the model below the best point, the lowest first, at some distance from each other."""
    rng, known = context.generator("lower"), context.known
    low = np.argsort(np.where(np.isfinite(known.plain), known.plain, np.inf), kind="stable")[:RANDOM]
    starts = np.concatenate([rng.random((RANDOM, context.dim)), context.outside, context.inside, known.u[low]])
    u, energy = minima(context.surrogate, np.unique(starts, axis=0), rng)
    below = np.flatnonzero(energy < AT_BEST)
    distinct = apart(u, below, most)
    more = below[~np.isin(below, distinct)][: most - len(distinct)]
    return np.asarray(u[np.concatenate([distinct, more])])


LOWER = Part("lower", lower)


def with_lower(acquisition: Acquisition) -> Acquisition:
    """The acquisition with this part first."""
    return replace(acquisition, parts=(LOWER, *acquisition.parts))
