"""When a scan stops: with the first good points by id, which do not depend on the speed of evaluators, or when the
strategy asks only for known points.
"""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections.abc import Iterable

MOST_REPEATS = 100
"""A scan ends after this many batches in a row that have only known points."""


class FirstGood:
    """The `wanted` good points with the lowest ids. Each of them takes 8 bytes."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._ids = array("q")  # in order

    def add(self, ids: Iterable[int]) -> None:
        """Adds good points in any order, each once."""
        for point in ids:
            if len(self._ids) < self._wanted or point < self._ids[-1]:
                insort(self._ids, point)  # most are the highest so far
                del self._ids[self._wanted :]

    @property
    def last(self) -> float:
        """The highest of these ids; infinite while there are fewer points than wanted."""
        return self._ids[-1] if len(self._ids) >= self._wanted else math.inf
