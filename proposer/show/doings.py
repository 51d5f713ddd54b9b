"""Describes in plain words what a strategy is doing, from the origins and results of its last batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from proposer.strategies.origins import ORIGINS


class Doings:
    """Follows the newest batch: the origins of its points, and the fraction of answered points that were good."""

    def __init__(self) -> None:
        self._origins: Counter[str] = Counter()
        self._out: set[int] = set()
        self._answered = self._good = 0
        self._last = ""

    def asked(self, ids: Sequence[int], origins: Sequence[str]) -> None:
        """Notes a new batch."""
        if self._answered:
            self._last = f"; {100 * self._good / self._answered:.0f} % of the batch before was good"
        self._origins, self._out = Counter(origins), set(ids)
        self._answered = self._good = 0

    def answered(self, point: int, *, good: bool) -> None:
        """Notes that one point has an answer."""
        if point in self._out:
            self._out.remove(point)
            self._answered += 1
            self._good += good

    @property
    def words(self) -> str:
        """Up to two descriptions, the more frequent one first."""
        total = sum(self._origins.values())
        shares: Counter[str] = Counter()
        for origin, points in self._origins.items():
            shares[ORIGINS[origin].doing if origin in ORIGINS else f"asks for {origin} points"] += points
        named = [f"{words} ({100 * n / total:.0f} %)" for words, n in shares.most_common(2)]
        if len(shares) == 1:
            named = list(shares)
        return " and ".join(named) + self._last
