"""Describes in plain words what a strategy is doing, from the origins of its newest batch and the results before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from proposer.strategies.origins import ORIGINS


@dataclass
class _Batch:
    size: int
    answered: int = 0
    good: int = 0


class Activity:
    """Follows batches: the origins of the newest one, and the fraction of good points in the last complete one.

    It waits for complete batches, because the first answers of a batch are not a fair sample of it. A search may
    request a batch before the earlier ones are complete.
    """

    def __init__(self) -> None:
        self._origins: Counter[str] = Counter()
        self._out: dict[int, _Batch] = {}
        self._last = ""

    def asked(self, ids: Sequence[int], origins: Sequence[str]) -> None:
        """Notes a new batch."""
        self._origins = Counter(origins)
        self._out |= dict.fromkeys(ids, _Batch(len(ids)))

    def answered(self, point: int, *, good: bool) -> None:
        """Notes that one point has an answer."""
        if (batch := self._out.pop(point, None)) is None:
            return
        batch.answered += 1
        batch.good += good
        if batch.answered == batch.size:
            self._last = f"; {100 * batch.good / batch.size:.0f} % of the last complete batch was good"

    @property
    def words(self) -> str:
        """Up to two descriptions, the more frequent one first."""
        origins = self._origins  # the scan may put another one in its place while the display looks
        total = sum(origins.values())
        shares: Counter[str] = Counter()
        for origin, points in origins.items():
            shares[ORIGINS[origin].doing if origin in ORIGINS else f"asks for {origin} points"] += points
        named = [f"{words} ({100 * n / total:.0f} %)" for words, n in shares.most_common(2)]
        if len(shares) == 1:
            named = list(shares)
        return " and ".join(named) + self._last
