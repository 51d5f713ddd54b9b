"""Decides how long a scan waits for the answers of an evaluator, and prints messages while it waits."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from itertools import islice, takewhile

from proposer.formats import show_time
from proposer.wire.remote import Link

SILENT = 60.0
"""Seconds without an answer after which a message names the points that are out; the next comes after twice as many,
and so on.
"""

GRACE = 30.0
"""The least time in seconds that a scan waits beyond its time limit for points that run."""

AS_LONG = 3.0
"""The scan waits in addition this many times the longest point so far."""

LATE = 2.0
"""An evaluator is given up when a point has run for this many times the longest time that its codes may take, plus
GRACE.
"""

MOST_NAMED = 5
"""The most points that a message names."""


class Patience:
    """How long one call of `evaluate` waits for the evaluators. `until`: the scan's time limit, a time of
    time.monotonic, or infinity.
    """

    def __init__(self, until: float, say: Callable[[str], None]) -> None:
        self._until, self._say = until, say
        self._silent: dict[Link, float] = {}  # seconds of silence at which the next message is due

    def left(self, links: Collection[Link], now: float) -> float:
        """The seconds until the next message or decision is due; infinity if none is."""
        due = [self._until] if now < self._until else [self._end(links)]
        for link in links:
            if link.out:
                due.append(link.heard + self._silent.get(link, SILENT))
                due += [begun + _allowed(link) for begun in islice(link.running.values(), 1)]
        return min(due) - now

    def _end(self, links: Collection[Link]) -> float:
        longest = max((link.longest for link in links), default=0.0)
        return self._until + GRACE + AS_LONG * longest

    def leave_out(self, seconds: float, links: Collection[Link], now: float) -> None:
        """Ignores the last `seconds` before `now` for all points, because this process was suspended."""
        for link in links:
            link.heard = min(link.heard + seconds, now)
            link.running = {point: min(begun + seconds, now) for point, begun in link.running.items()}

    def is_over(self, links: Collection[Link], now: float) -> bool:
        """Whether to stop waiting for all points; prints a message if so."""
        if now < self._end(links):
            return False
        for link in links:
            if link.out:
                self._say(
                    f"the evaluator at {link.address} has not answered {name_points(link.out)}, "
                    f"{show_time(now - self._until)} after the end (max_hours): no longer waited for, and sent again "
                    "if the run goes on"
                )
        return True

    def overdue(self, link: Link, now: float) -> list[int]:
        """The points that this evaluator should have answered long ago. Prints a message about them, or about a long
        silence.
        """
        if not link.out:
            self._silent.pop(link, None)
            return []
        allowed = _allowed(link)
        late = list(takewhile(lambda point: link.running[point] + allowed <= now, link.running))  # the oldest are first
        if late and link.description is not None:
            self._say(
                f"the evaluator at {link.address} has not answered {name_points(late)} for "
                f"{show_time(now - link.running[late[0]])}, although its codes end after "
                f"{show_time(link.description.longest)}: connecting anew, and its points are sent again"
            )
            return late
        silent = self._silent.get(link, SILENT)
        if now < link.heard + silent / 2:  # it has answered in the meantime
            self._silent.pop(link, None)
        elif now >= link.heard + silent:
            self._say(
                f"no answer from the evaluator at {link.address} for {show_time(now - link.heard)}; "
                f"waiting for {name_points(link.out)}"
            )
            self._silent[link] = 2.0 * silent
        return []


def _allowed(link: Link) -> float:
    """The time in seconds after which a point is overdue; infinite if its limit is unknown."""
    return LATE * link.description.longest + GRACE if link.description is not None else math.inf


def name_points(out: Collection[int]) -> str:
    """The lowest ids of some points, and how many more points there are."""
    first = sorted(out)[:MOST_NAMED]
    more = f" and {len(out) - len(first):,} more" if len(out) > len(first) else ""
    return f"point{'s' if len(out) > 1 else ''} {', '.join(map(str, first))}{more}"
