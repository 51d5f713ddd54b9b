"""What people see while a scan runs: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from rich.live import Live
from rich.text import Text

from proposer.formats import show_number, show_time
from proposer.show.failures import Failures
from proposer.show.tally import Tally
from proposer.types import Outcome
from scanspec import visible
from scanspec.logs import stderr_console

PLAIN_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""

SPACING = 1.0
"""Seconds between two counts that are kept for rates."""

MEMORY = 600.0
"""Seconds over which rates are taken."""

IN_A_ROW = 20
"""So many failed points in a row are told at once, each kind of failure once."""

MOST_TOLD = 5
"""Kinds of failures that are told; `lodescan status` counts them all."""

FOUND = 5
"""Good points from which on a rate says when there will be enough."""


def say(line: str) -> None:
    """Writes a line to standard error, above the live display where there is one."""
    stderr_console().print(visible(line))


class Progress:
    """The progress of a scan; lines that `say` writes stand above it. `explain`: lines about a failed point."""

    def __init__(self, tally: Tally, explain: Callable[[Outcome], list[str]] = lambda _: []) -> None:
        self._tally, self._explain = tally, explain
        self._told: list[Failures] = []
        self._console = stderr_console()
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
        say(line)

    def doing(self, what: str) -> None:
        """Says what goes on now: the iteration, and whether it trains or evaluates."""
        self._doing = what

    def update(self) -> None:
        """Called when the tally has changed."""
        self._tell_of_failures()
        now = time.monotonic()
        if now - self._history[-1][0] > SPACING:
            self._history.append((now, self._tally.evaluated, self._tally.good))
        while len(self._history) > 2 and now - self._history[0][0] > MEMORY:
            self._history.popleft()
        if self._live is None and now - self._last_line >= PLAIN_EVERY:
            self._last_line = now
            self.say(self.line())

    def _tell_of_failures(self) -> None:
        kind, row = self._tally.failed, self._tally.failed_in_a_row
        if kind is None or row < IN_A_ROW or len(self._told) >= MOST_TOLD or kind in self._told:
            return
        self._told.append(kind)
        self.say(f"{row:,} points failed one after the other; so far {kind.points:,} like the last of them:")
        for line in self._explain(kind.last):
            self.say(f"  {line}")
        if len(self._told) == MOST_TOLD:
            self.say("  further kinds of failures are counted, not told: `lodescan status` on the run's folder has all")

    def line(self) -> str:
        """Good points, hit rate and time left come first: a narrow terminal cuts the rest."""
        tally = self._tally
        start, evaluated, good = self._history[0]
        elapsed = time.monotonic() - start
        points, found = tally.evaluated - evaluated, tally.good - good
        rate = points / elapsed if elapsed > 0 else 0.0
        parts = [f"{tally.good:,} of {tally.wanted:,} good", f"hit rate {tally.hit_rate} %"]
        parts += [self._left(elapsed, points, found), self._doing]
        if not tally.good and math.isfinite(tally.best):
            parts.append(tally.lowest())
        parts += [f"{tally.evaluated:,} evaluated ({tally.breakdown()})", f"{show_number(rate, 3)} points/s"]
        return " | ".join(part for part in parts if part)

    def _left(self, elapsed: float, points: int, found: int) -> str:
        tally = self._tally
        if tally.good >= tally.wanted:
            return "finishing this iteration"
        if tally.evaluated < min(tally.start, tally.most):
            return f"start {tally.evaluated:,} of {tally.start:,}, no estimate before that"
        left = (tally.wanted - tally.good) * elapsed / found if found >= FOUND else math.inf
        if points:
            left = min(left, (tally.most - tally.evaluated) * elapsed / points)
        return f"about {show_time(max(left, 0))} left" if left < math.inf else "time left unknown"

    def _render(self) -> Text:
        return Text(self.line(), overflow="ellipsis", no_wrap=True)
