"""How long each evaluator was there."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Presence:
    """The time in which evaluators were connected, by address, in seconds of their workers, since this began."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._there: dict[str, int] = {}
        self._since = time.monotonic()

    def note(self, workers: Mapping[str, int]) -> None:
        """These evaluators are there now, each with so many workers; until now those of the last call were."""
        now = time.monotonic()
        for address, count in self._there.items():
            self.seconds[address] = self.seconds.get(address, 0.0) + count * (now - self._since)
        self._there, self._since = dict(workers), now

    def after(self, earlier: Mapping[str, float]) -> dict[str, float]:
        """The sum of this and of what an earlier command has noted."""
        return {
            address: earlier.get(address, 0.0) + self.seconds.get(address, 0.0)
            for address in earlier.keys() | self.seconds.keys()
        }
