"""Shows the progress of a scan: as a display on a terminal, as plain lines elsewhere, as JSON for programs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from rich.live import Live

from proposer.show.activity import Activity
from proposer.show.evaluators import EvaluatorWork, by_points
from proposer.show.failures import Failures
from proposer.show.notebook import NotebookDisplay
from proposer.show.panel import LiveDisplay, RoomForKeys, one_line
from proposer.show.rates import Rates
from proposer.show.regions import RegionCount
from proposer.show.state import State
from proposer.show.tally import Tally
from proposer.show.voice import Voice, tell, voice, warn
from proposer.show.voice import say as say_line
from proposer.types import Floats, Outcome
from scanspec.events import in_json
from scanspec.logs import stderr_console

PLAIN_EVERY = 10.0
"""Seconds between two lines without a terminal."""

JSON_EVERY = 1.0
"""Seconds between two JSON objects."""

LONG_THOUGHT = 1.0
"""Seconds after which the display says that points are being chosen."""

IN_A_ROW = 20
"""After this many failed points in a row, a warning is printed at once, once for each kind of failure."""

MOST_TOLD = 5
"""The most kinds of failures with a warning; `lodescan status` counts all kinds."""


@dataclass(frozen=True, kw_only=True)
class About:
    """The constant facts about a scan in a display: its name, type, variables, evaluator and workers."""

    run: str = ""
    method: str = ""
    variables: Sequence[str] = ()
    evaluator: str = ""
    workers: int = 0
    seconds: float = 0.0
    """Wall time of earlier commands of the run, in seconds."""


class Progress:
    """The progress of a scan. Lines from `say` are printed above the display. `explain` gives lines about a failed
    point.
    """

    def __init__(
        self, tally: Tally, explain: Callable[[Outcome], list[str]] = lambda _: [], about: About | None = None
    ) -> None:
        self._tally, self._explain, self._about = tally, explain, about or About()
        self._rates, self._activity, self._regions = Rates(tally), Activity(), RegionCount(self._about.variables)
        self._target = tally.target
        self._told: list[Failures] = []
        self._out: dict[int, tuple[Floats, Floats]] = {}  # points without an answer: u and physical values
        self._doing, self._busy, self._over = "", 0, False
        self._thinks_since: float | None = None
        self._workers: dict[str, int] = {}
        self._worker_seconds: dict[str, float] = {}
        self._evaluators: dict[str, EvaluatorWork] = {}
        self._start = time.monotonic()
        self._last_line = -math.inf
        self._live = self._display() if voice() is Voice.PEOPLE and not in_json() else None

    def _display(self) -> Live | NotebookDisplay | None:
        console = stderr_console()
        if console.is_jupyter:
            return NotebookDisplay(lambda: LiveDisplay(self.state()))
        if console.is_terminal and not console.is_dumb_terminal:  # a dumb one cannot draw again, so it gets lines
            return Live(
                console=console,
                refresh_per_second=4,
                get_renderable=lambda: RoomForKeys(LiveDisplay(self.state())),
                transient=True,
            )
        return None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Writes a line that stays above the display."""
        say_line(line)

    def doing(self, what: str) -> None:
        """Notes the current step: the iteration, and whether the strategy trains or evaluates."""
        self._doing = what

    @contextmanager
    def thinking(self) -> Iterator[None]:
        """A context in which the strategy chooses the next points."""
        self._thinks_since = time.monotonic()
        try:
            yield
        finally:
            self._thinks_since = None

    def busy(
        self, points: int, workers: Mapping[str, int] | None = None, there: Mapping[str, float] | None = None
    ) -> None:
        """Notes the number of points without an answer, and by address the workers of each evaluator and its
        worker-seconds (`there`).
        """
        self._busy, self._workers = points, dict(workers or {})
        self._worker_seconds = dict(there or {})

    def asked(self, ids: Sequence[int], origins: Sequence[str], u: Floats, values: Floats) -> None:
        """Notes a new batch: `u` in the unit cube, `values` in physical units, both of shape (n, d)."""
        self._activity.asked(ids, origins)
        self._out |= dict(zip(ids, zip(u, values, strict=True), strict=True))

    def answered(self, outcomes: Sequence[Outcome]) -> None:
        """Notes new results; the tally has counted them already."""
        if self._tally.target != self._target:
            self._target = self._tally.target
            self._regions.keep(self._target)
        for outcome in outcomes:
            point = self._out.pop(outcome.id, None)
            good = outcome.nll is not None and bool(self._tally.target.contains(outcome.nll))
            self._activity.answered(outcome.id, good=good)
            if outcome.evaluator:
                workers = self._workers.get(outcome.evaluator, 0)
                who = self._evaluators.setdefault(outcome.evaluator, EvaluatorWork(outcome.evaluator, workers))
                who.worker_seconds = self._worker_seconds.get(who.address, 0.0)
                who.add(outcome)
            if good and point is not None:
                self._regions.add(*point, outcome.nll or 0.0)
        self.update()

    def update(self) -> None:
        """Updates the output after the tally has changed."""
        self._tell_of_failures()
        self._rates.update()
        now = time.monotonic()
        every = JSON_EVERY if voice() is Voice.JSON else PLAIN_EVERY
        if self._live is not None or now - self._last_line < every:
            return
        self._last_line = now
        if voice() is Voice.JSON or in_json():
            tell("progress", self.state().to_json())
        else:
            self.say(one_line(self.state()))

    def _tell_of_failures(self) -> None:
        kind, row = self._tally.failed, self._tally.failed_in_a_row
        if kind is None or row < IN_A_ROW or len(self._told) >= MOST_TOLD or kind in self._told:
            return
        self._told.append(kind)
        warn(f"{row:,} points failed one after the other; so far {kind.points:,} like the last of them:")
        for line in self._explain(kind.last):
            warn(f"  {line}")
        if len(self._told) == MOST_TOLD:
            warn("  further kinds of failures are only counted: `lodescan status` on the run's folder has all")

    def state(self) -> State:
        """The present state of the scan. The thread of the display calls this, too, so dictionaries are copied."""
        tally, about = self._tally, self._about
        return State(
            at=time.time(),
            good=tally.good,
            wanted=tally.wanted,
            target=tally.target.describe(),
            evaluated=tally.evaluated,
            run=about.run,
            method=about.method,
            evaluator=about.evaluator,
            workers=(workers := sum(self._workers.values()) or about.workers),
            busy=min(self._busy, workers),
            evaluators=[evaluator.to_json() for evaluator in by_points([*self._evaluators.values()])],
            hit_rate=tally.hit_rate,
            hit_rates=[round(rate, 6) for rate in self._rates.hit_rates],
            statuses={status.name: points for status, points in [*tally.by_status.items()] if points},
            by_code={
                code: {status.name: n for status, n in [*counts.items()]} for code, counts in [*tally.by_code.items()]
            },
            points_per_second=self._rates.points_per_second,
            lowest_nll=tally.best if math.isfinite(tally.best) else None,
            lowest=tally.lowest() if math.isfinite(tally.best) else "",
            doing=self._doing,
            strategy=self._strategy(),
            regions=self._regions.words,
            seconds=about.seconds + time.monotonic() - self._start,
            left=None if self._remark() else self._rates.left(),
            remark=self._remark(),
        )

    def _strategy(self) -> str:
        """What the strategy does: it chooses points while none is evaluated, or its newest batch is evaluated."""
        words, since = self._activity.words, self._thinks_since
        took = time.monotonic() - since if since is not None else 0.0
        if self._busy or took < LONG_THOUGHT:
            return words
        learns = f"learns from {self._tally.evaluated:,} points and chooses the next ones ({took:.0f} s)"
        return "; ".join([learns, *words.split("; ")[1:]])

    def _remark(self) -> str:
        """A remark to show instead of the time that is left, or empty."""
        tally = self._tally
        if self._over:
            return "the scan has ended"
        if tally.good >= tally.wanted:
            return "waiting for what runs"
        if tally.evaluated < min(tally.start, tally.most):
            return f"start {tally.evaluated:,} of {tally.start:,}, no estimate before that"
        return ""
