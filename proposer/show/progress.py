"""What people see while a scan runs: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from proposer.formats import show_number, show_time
from proposer.target import Target
from proposer.types import Outcome, Status
from scanspec.likelihoods import LARGEST_LOSS

PLAIN_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""

SPACING = 1.0
"""Seconds between two counts that are kept for rates."""

MEMORY = 600.0
"""Seconds over which rates are taken."""

IN_A_ROW = 20
"""So many failed points in a row are told at once."""

FOUND = 5
"""Good points from which on a rate says when there will be enough."""


@dataclass
class Tally:
    """Counts of a run: good points (earlier runs of an InitCSV included), answered points by status.

    A scan ends at `wanted` good points (an NLL in `target`), or at `most` evaluations. `given`: good points that came
    with their NLL. `raced`: points that two evaluators worked on. `start`: points of a search before it has learned
    anything. `names`: of the observables; `best_losses`: of the point with the lowest NLL. `failed`: the last of
    `failed_in_a_row`.
    """

    wanted: int
    target: Target
    most: float = math.inf
    good: int = 0
    best: float = math.inf
    by_status: Counter[Status] = field(default_factory=Counter)
    given: int = 0
    raced: int = 0
    start: int = 0
    names: Sequence[str] = ()
    best_losses: Sequence[float] = ()
    failed_in_a_row: int = 0
    failed: Outcome | None = None

    @property
    def evaluated(self) -> int:
        """How many points an evaluator has answered."""
        return sum(self.by_status.values())

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Counts new results."""
        for each in outcomes:
            self.by_status[each.status] += 1
            fails = each.status in (Status.FAILED, Status.TIMED_OUT)
            self.failed_in_a_row, self.failed = (self.failed_in_a_row + 1, each) if fails else (0, self.failed)
            if each.nll is not None:
                self.good += self.target.contains(each.nll)
                if each.nll < self.best:
                    self.best, self.best_losses = each.nll, tuple(each.losses)

    @property
    def all_failed(self) -> bool:
        """Whether points were evaluated, and none was answered with physics."""
        return 0 < self.evaluated == self.by_status[Status.FAILED] + self.by_status[Status.TIMED_OUT]

    @property
    def hit_rate(self) -> str:
        """How many of the evaluated points are good, in percent, for people."""
        if not self.evaluated:
            return "-"
        percent = 100 * max(0, self.good - self.given) / self.evaluated
        return f"{percent:.0f}" if percent >= 9.95 else f"{percent:.2g}" if percent >= 1e-3 or not percent else "<0.001"

    def lowest(self) -> str:
        """The lowest NLL, and the losses that it is made of, the largest first."""
        if not math.isfinite(self.best):
            return "lowest NLL none"
        parts = sorted(zip(self.best_losses, self.names, strict=False), key=lambda each: -abs(each[0]))
        shown = ", ".join(f"{name} {loss:.2f}" for loss, name in parts[:3] if loss)
        return f"lowest NLL {show_number(self.best)}" + (f": {shown}" if shown and len(self.names) > 1 else "")

    def at_cap(self) -> list[str]:
        """Observables whose loss is as large as it can be even at the best point."""
        losses = zip(self.best_losses, self.names, strict=False)
        return [name for loss, name in losses if loss >= (1.0 - 1e-3) * LARGEST_LOSS]

    def breakdown(self) -> str:
        """Invalid, failed and timed-out points in words."""
        names = {Status.INVALID: "invalid", Status.FAILED: "failed", Status.TIMED_OUT: "timed out"}
        return ", ".join(f"{self.by_status[status]:,} {name}" for status, name in names.items())


class Progress:
    """The progress of a scan; lines that `say` writes stand above it. `explain`: lines about a failed point."""

    def __init__(self, tally: Tally, explain: Callable[[Outcome], list[str]] = lambda _: []) -> None:
        self._tally, self._explain = tally, explain
        self._told_of_failures = False
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
        failed, row = self._tally.failed, self._tally.failed_in_a_row
        if failed is None or row < IN_A_ROW:
            self._told_of_failures = self._told_of_failures and row > 0
        elif not self._told_of_failures:
            self._told_of_failures = True
            self.say(f"{row:,} points failed one after the other. The last of them:")
            for line in self._explain(failed):
                self.say(f"  {line}")

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
