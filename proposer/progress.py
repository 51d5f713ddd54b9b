"""What people see while a scan runs: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from proposer.rows import Outcome
from proposer.strategies.base import Status
from proposer.target import NONE, in_target

PLAIN_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""

SPACING = 1.0
"""Seconds between two counts that are kept for rates."""

MEMORY = 600.0
"""Seconds over which rates are taken."""


@dataclass
class Tally:
    """Counts of a run: good points (earlier runs of an InitCSV included), answered points by status.

    A scan ends at `target` good points (NLL below `threshold` and above `above`), or at `most` evaluations.
    """

    target: int
    threshold: float
    most: float = math.inf
    good: int = 0
    best: float = math.inf
    above: float = NONE
    by_status: Counter[Status] = field(default_factory=Counter)

    @property
    def evaluated(self) -> int:
        """How many points an evaluator has answered."""
        return sum(self.by_status.values())

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Counts new results."""
        for each in outcomes:
            self.by_status[each.status] += 1
            if each.nll is not None:
                self.good += in_target(each.nll, self.threshold, self.above)
                self.best = min(self.best, each.nll)

    def breakdown(self) -> str:
        """Invalid, failed and timed-out points in words."""
        names = {Status.INVALID: "invalid", Status.FAILED: "failed", Status.TIMED_OUT: "timed out"}
        return ", ".join(f"{self.by_status[status]:,} {name}" for status, name in names.items())


class Progress:
    """The progress of a scan; lines that `say` writes stand above it."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
        self._live: Live | None = None
        self._doing = ""
        self._history = deque([(time.monotonic(), tally.evaluated, tally.good)])
        self._last_line = -math.inf
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4, get_renderable=self._render, transient=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Writes a line that stays."""
        self._console.print(line, markup=False)

    def doing(self, what: str) -> None:
        """Says what goes on now: the iteration, and whether it trains or evaluates."""
        self._doing = what

    def update(self) -> None:
        """Called when the tally has changed."""
        now = time.monotonic()
        if now - self._history[-1][0] > SPACING:
            self._history.append((now, self._tally.evaluated, self._tally.good))
        while len(self._history) > 2 and now - self._history[0][0] > MEMORY:
            self._history.popleft()
        if self._live is None and now - self._last_line >= PLAIN_EVERY:
            self._last_line = now
            self.say(self.line())

    def line(self) -> str:
        """Good points, hit rate, points a second and time left."""
        tally = self._tally
        start, evaluated, good = self._history[0]
        elapsed = time.monotonic() - start
        points, found = tally.evaluated - evaluated, tally.good - good
        rate = points / elapsed if elapsed > 0 else 0.0
        parts = [
            self._doing,
            f"{tally.good:,} of {tally.target:,} good",
            f"{tally.evaluated:,} evaluated ({tally.breakdown()})",
            f"hit rate {100 * found / points:.2g} %" if points else "hit rate -",
            f"{rate:.3g} points/s",
        ]
        left = (tally.target - tally.good) * elapsed / found if found else math.inf
        if points:
            left = min(left, (tally.most - tally.evaluated) * elapsed / points)
        if tally.good >= tally.target:
            parts.append("finishing this iteration")
        else:
            parts.append(f"about {show_time(max(left, 0))} left" if left < math.inf else "time left unknown")
        return " | ".join(part for part in parts if part)

    def _render(self) -> Text:
        return Text(self.line(), overflow="ellipsis", no_wrap=True)


def show_time(seconds: float) -> str:
    """A duration for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
