"""Rates of a scan: points per second, the hit rate and its history, and the time that is left."""

from __future__ import annotations

import math
import time
from collections import deque
from itertools import pairwise

from proposer.show.tally import Tally

SPACING = 1.0
"""The interval in seconds between two stored counts."""

MEMORY = 600.0
"""The time in seconds over which rates are computed."""

FOUND = 5
"""The least number of points for an estimate of the time that is left: of good points for the limit `points`, of all
points for `max_evaluations`. The first points take longer, because workers start.
"""

BINS = 24
"""The most entries in the history of the hit rate; after a while there are at least half as many."""


class Rates:
    """Keeps earlier counts of a tally with their times, and computes rates from them."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._recent = deque([(time.monotonic(), tally.evaluated, tally.good)])
        self._history = [(tally.evaluated, tally.good)]  # at equal steps of evaluations
        self._step = 1

    def update(self) -> None:
        """Stores the present counts of the tally."""
        now, counts = time.monotonic(), (self._tally.evaluated, self._tally.good)
        if now - self._recent[-1][0] > SPACING:
            self._recent.append((now, *counts))
        while len(self._recent) > 2 and now - self._recent[0][0] > MEMORY:
            self._recent.popleft()
        if counts[0] - self._history[-1][0] >= self._step:
            self._history.append(counts)
        if len(self._history) > BINS:
            self._history = self._history[::2]
            self._step *= 2

    def _since(self) -> tuple[float, int, int]:
        """The time in seconds over which rates are computed, and the points and good points in it."""
        start, evaluated, good = self._recent[0]
        return time.monotonic() - start, self._tally.evaluated - evaluated, self._tally.good - good

    @property
    def points_per_second(self) -> float:
        """Evaluated points per second."""
        seconds, points, _ = self._since()
        return points / seconds if seconds > 0 else 0.0

    @property
    def hit_rates(self) -> list[float]:
        """Good points per evaluated point, over equal numbers of evaluations, from the beginning to now."""
        counts = [*self._history, (self._tally.evaluated, self._tally.good)]
        return [max(0, b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(counts) if b[0] > a[0]]

    def left(self) -> list[float] | None:
        """The lowest, likely and highest estimate of the time to the end, in seconds; None if nothing is known.

        The number of good points in a time follows a Poisson distribution, so its relative error is the inverse of its
        square root.
        """
        seconds, points, found = self._since()
        tally, most = self._tally, math.inf
        if points >= FOUND:
            most = max(0.0, (tally.most - tally.evaluated) * seconds / points)
        estimates = [most] * 3
        if found >= FOUND:
            likely, error = (tally.wanted - tally.good) * seconds / found, 1 / math.sqrt(found)
            estimates = [
                min(max(estimate, 0.0), most) for estimate in (likely / (1 + error), likely, likely / (1 - error))
            ]
        return estimates if estimates[1] < math.inf else None
