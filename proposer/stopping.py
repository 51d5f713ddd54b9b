"""When a scan stops: with the first good points by id, where the speed of evaluators does not change which they are, or
when nothing new is asked for.
"""

from __future__ import annotations

import math
from array import array
from bisect import insort
from collections.abc import Iterable

MOST_REPEATS = 100
"""Batches in a row of which every point is known already, after which a scan ends."""


class FirstGood:
    """The `wanted` good points with the lowest ids, of which each takes 8 bytes."""

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
        """The highest id of them; infinite while there are fewer than wanted."""
        return self._ids[-1] if len(self._ids) >= self._wanted else math.inf
