"""How long the answers of an evaluator are waited for: what is said after a while, and when one gives up."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from proposer.formats import show_time

SILENT = 60.0
"""Seconds without an answer after which it is said for which points one waits; then after twice as many, and so on."""

GRACE = 30.0
"""Seconds beyond its time limit for which a scan waits for points that run, at least."""

AS_LONG = 3.0
"""And as many times the longest point so far."""

MOST_NAMED = 5
"""The most points that are named in a line."""

LONGEST_WAIT = 3600.0


class Patience:
    """For the points that are out on one stream of the evaluator at `address`; `until` is the scan's time limit, of
    time.monotonic, infinite without one."""

    def __init__(self, address: str, until: float, say: Callable[[str], None]) -> None:
        self._address, self._until, self._say = address, until, say
        self._give_up = until + GRACE
        self._heard = time.monotonic()
        self._silent = SILENT

    def heard(self) -> None:
        """A point was answered."""
        self._heard = time.monotonic()
        self._silent = SILENT

    def left(self) -> float:
        """Seconds until something is due, here or by the scan's limit; more than 0."""
        now = time.monotonic()
        due = [self._heard + self._silent, self._give_up, *([self._until] if now < self._until else [])]
        return max(min(min(due) - now, LONGEST_WAIT), 0.001)

    def is_over(self, out: Collection[int], longest: float) -> bool:
        """Whether to wait no more for the points `out`; says so, and says for which one waits after a while.

        `longest`: seconds that the longest point so far took.
        """
        now = time.monotonic()
        self._give_up = self._until + GRACE + AS_LONG * longest
        if now >= self._give_up:
            self._say(
                f"the evaluator at {self._address} has not answered {name_points(out)}, "
                f"{show_time(now - self._until)} after the end (max_hours): no longer waited for, and sent again if "
                "the run goes on"
            )
            return True
        if now >= self._heard + self._silent:
            self._say(
                f"no answer from the evaluator at {self._address} for {show_time(now - self._heard)}; "
                f"waiting for {name_points(out)}"
            )
            self._silent *= 2.0
        return False


def name_points(out: Collection[int]) -> str:
    """The first of some points by their numbers, and how many more there are."""
    first = sorted(out)[:MOST_NAMED]
    more = f" and {len(out) - len(first):,} more" if len(out) > len(first) else ""
    return f"point{'s' if len(out) > 1 else ''} {', '.join(map(str, first))}{more}"
