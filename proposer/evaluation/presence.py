"""Measures how long each evaluator was connected."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Presence:
    """The time for which evaluators were connected, in worker-seconds by address, since this object was made."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._there: dict[str, int] = {}
        self._since = time.monotonic()

    def note(self, workers: Mapping[str, int]) -> None:
        """Notes the evaluators that are connected now, with their numbers of workers. Those of the last call count as
        connected from then until now.
        """
        now = time.monotonic()
        for address, count in self._there.items():
            self.seconds[address] = self.seconds.get(address, 0.0) + count * (now - self._since)
        self._there, self._since = dict(workers), now

    def after(self, earlier: Mapping[str, float]) -> dict[str, float]:
        """The sum of these times and of those of an earlier command."""
        return {
            address: earlier.get(address, 0.0) + self.seconds.get(address, 0.0)
            for address in earlier.keys() | self.seconds.keys()
        }
