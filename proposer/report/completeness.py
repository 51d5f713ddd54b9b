"""Bounds the fraction of the prior that is good, from points that were drawn from the prior."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import betaln

from proposer.report.section import Part
from proposer.report.seen import Mask, Seen
from proposer.space import Space
from proposer.types import Status

LEVEL = 0.95

FEW = 30
"""The number of independent draws below which a bound says nothing."""


def most(good: int, points: int, level: float = LEVEL) -> float:
    """An upper limit on the fraction of good points, from `good` of `points` independent draws; `points` is above 0.

    The bound holds with probability `level` at all numbers of points at once. So it also holds if the results decided
    at which number of points the scan stopped. The bound is the largest share p with (n + 1) b(n, p, k) >= 1 - level,
    where b is the binomial probability of k in n (H. Robbins, Ann. Math. Stat. 41 (1970) 1397). The left side is the
    inverse of a mixture of likelihood ratios, whose mean is 1; J. Ville's inequality bounds it at all n.
    """
    if good == points:
        return 1.0

    ways = -float(betaln(good + 1, points - good + 1))  # the logarithm of (n + 1) times the binomial coefficient

    def above(share: float) -> bool:
        chance = good * math.log(share) if good else 0.0
        return ways + chance + (points - good) * math.log1p(-share) >= math.log1p(-level)

    low, high = good / points, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if above(middle) else (low, middle)
    return high


def sample(seen: Seen) -> Mask:
    """Whether a point is an independent draw from the prior, shape (n,), without batches that have open points."""
    if seen.first_open is None:
        return seen.independent
    # points without an answer may be special, because they take long
    found: Mask = seen.independent & (seen.batches < seen.first_open)
    return found


def _why_not(seen: Seen) -> str:
    """The reason why there is no bound, independently of the results; empty if there is a bound."""
    if seen.target.above_best is not None:
        return "the threshold follows the best point, so it was not fixed before the scan."
    if seen.target_changes:
        return f"the threshold was changed during the scan ({seen.target_changes[-1]})."
    if Space(seen.scan.variables).size < np.inf:
        return "the space has finitely many points and none is drawn twice, so the draws depend on each other."
    return ""


def completeness(seen: Seen) -> Part:
    """The section with an upper bound on the fraction of the prior that is good, and so on what the search can have
    missed.
    """
    if why := _why_not(seen):
        return Part([f"No bound can be given: {why}"])
    at = sample(seen)
    points, good = int(at.sum()), int(seen.good[at].sum())
    if not points:
        none = "No bound can be given: no point of this run is an independent draw from the prior."
        return Part([f"{none} A scan of the type RANDOM consists of such points."])
    if points < FEW:
        drawn = f"only {points:,} {'point was' if points == 1 else 'points were'} drawn from the prior independently"
        few = (
            f"No useful bound can be given: {drawn} of all results. A scan of the type RANDOM consists of such points. "
            "If none of 1,000 is good, at most 1 % of the prior is."
        )
        return Part([few])
    failed = int((at & np.isin(seen.status, [Status.FAILED, Status.TIMED_OUT])).sum())
    bound = (
        f"Of {points:,} points that were drawn from the prior independently of all results, {good:,} "
        f"{'is' if good == 1 else 'are'} good. So with {100 * LEVEL:.0f} % confidence at most "
        f"{_percent(most(good, points))} of the prior is good. Whatever the search has missed is within this share. "
        "The bound does not exclude smaller regions."
    )
    assumed = (
        "The bound assumes that the threshold was not chosen after looking at these points. It holds also if the scan "
        "stopped because of their results (H. Robbins, Ann. Math. Stat. 41 (1970) 1397)."
    )
    words = f"{failed:,} of these points failed or timed out. They count as not good."
    return Part([bound, assumed, *([words] if failed else [])])


def _percent(share: float) -> str:
    """A percentage with two digits, rounded up because it is a bound."""
    last = 10.0 ** (math.floor(math.log10(100 * share)) - 1)
    return f"{min(math.ceil(100 * share / last) * last, 100.0):.3g} %"
