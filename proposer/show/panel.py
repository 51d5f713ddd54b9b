"""The live display of a scan, for a terminal of 80 columns and 24 lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType
from rich.constrain import Constrain
from rich.table import Table
from rich.text import Text

from proposer.formats import show_good, show_number, show_percent, show_time
from proposer.show.evaluators import show_evaluator
from proposer.show.state import State
from scanspec import visible

BLOCKS = "▁▂▃▄▅▆▇█"
MOST_CODES = 5
"""The most codes that have a line."""

MOST_EVALUATORS = 4
"""The most evaluators that have a line."""

STATUSES = {"OK": "ok", "INVALID": "invalid", "FAILED": "failed", "TIMED_OUT": "timed out"}


NARROW = 40
"""Columns below which the lines have no names, so that their words have room."""

_FIRST, _SECOND, _THIRD = range(3)


class _Row(NamedTuple):
    """A line of the display. `rank`: those with the lowest are shown if not all have room."""

    name: str
    words: str
    rank: int = _THIRD


@dataclass(frozen=True)
class LiveDisplay:
    """The display, of at most 23 lines. A small terminal shows fewer lines, and cuts them on the right. Good points,
    hit rate and the time that is left are always there.
    """

    state: State
    silence: str = ""
    """Why the state may be old; empty if it is not."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        rows = [row for row in (*_rows(self.state), _Row("silent", self.silence, _FIRST)) if row.words]
        most = max(options.max_height - 1, 1)
        shown = sorted(sorted(range(len(rows)), key=lambda n: rows[n].rank)[:most])
        narrow = options.max_width < NARROW
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        if not narrow:
            table.add_column(no_wrap=True, style="dim", min_width=9)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for name, words, _ in (rows[n] for n in shown):
            text = Text(visible(words), style="bold" if name == "scan" else "", no_wrap=True, overflow="ellipsis")
            if narrow:
                table.add_row(Text(f"{name} ", "dim") + text if name in _UNCLEAR else text)
            else:
                table.add_row(name, _good(self.state) if name == "good" else text)
        yield table


_UNCLEAR = ("hit rate", "evaluated", "lowest", "silent")
"""The lines whose words need their name."""


def _rows(state: State) -> Iterator[_Row]:
    """All lines from top to bottom. Those without words are not shown."""
    yield _Row("scan", " · ".join(text for text in (state.run, state.method, state.target) if text))
    yield _Row("good", show_good(state.good, state.wanted), _FIRST)
    yield _Row("hit rate", f"{show_percent(state.hit_rate)} {sparkline(state.hit_rates)}", _FIRST)
    counts = f"{state.evaluated:,}: {_counts(state.statuses)}" if state.evaluated else "nothing yet"
    yield _Row("evaluated", counts, _SECOND)
    codes = sorted(state.by_code.items(), key=lambda item: -sum(item[1].values()))
    for name, counted in codes[:MOST_CODES]:
        yield _Row("", f"{name or '(not named)'}: {_counts(counted)}")
    if len(codes) > MOST_CODES:
        yield _Row("", f"and {len(codes) - MOST_CODES} other codes")
    yield _Row("speed", f"{show_number(state.points_per_second, 3)} points/s")
    workers = f"{state.busy} of {state.workers} workers busy" if state.workers else ""
    yield _Row("evaluator", " · ".join(text for text in (workers, state.evaluator) if text))
    if len(state.evaluators) > 1:
        for who in state.evaluators[:MOST_EVALUATORS]:
            yield _Row("", show_evaluator(who))
        if len(state.evaluators) > MOST_EVALUATORS:
            yield _Row("", f"and {len(state.evaluators) - MOST_EVALUATORS:,} other evaluators")
    yield _Row("lowest", state.lowest.removeprefix("lowest "), _SECOND)
    now, _, before = state.strategy.partition("; ")
    yield _Row("now", now or state.doing, _SECOND)
    yield _Row("", " · ".join(text for text in (state.doing if now else "", before) if text))
    yield _Row("regions", state.regions)
    yield _Row("time", f"{show_left(state)}, {show_time(state.seconds)} so far", _FIRST)


@dataclass(frozen=True)
class RoomForKeys:
    """A display with two free columns on the right, where a terminal shows the keys of Ctrl-C as `^C`. They would begin
    a new line behind a full one, and then the next drawing would leave the first line of the display on the screen.
    """

    display: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Constrain]:
        yield Constrain(self.display, options.max_width - 2)


def one_line(state: State) -> str:
    """The display in one line, for a pipe or a file. Good points, hit rate and the time that is left come first."""
    parts = [show_good(state.good, state.wanted), f"hit rate {show_percent(state.hit_rate)}"]
    parts += [show_left(state), state.doing, "" if state.good else state.lowest]
    ended = ", ".join(f"{state.statuses.get(name, 0):,} {words}" for name, words in STATUSES.items() if name != "OK")
    parts += [f"{state.evaluated:,} evaluated ({ended})", f"{show_number(state.points_per_second, 3)} points/s"]
    return " | ".join(part for part in parts if part)


def _good(state: State) -> Table:
    line = Table.grid(padding=(0, 1, 0, 0), expand=True)
    line.add_column(no_wrap=True)
    line.add_column(ratio=1)
    line.add_row(show_good(state.good, state.wanted), _Bar(min(state.good / max(state.wanted, 1), 1.0)))
    return line


@dataclass(frozen=True)
class _Bar:
    """A bar whose parts differ in sign, too, because a terminal may have no colours."""

    share: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        done = round(self.share * options.max_width)
        full, empty = ("#", "-") if options.ascii_only else ("█", "░")
        yield Text.assemble((full * done, "bar.complete"), (empty * (options.max_width - done), "dim"))


def _counts(statuses: dict[str, int]) -> str:
    return ", ".join(f"{statuses[name]:,} {words}" for name, words in STATUSES.items() if statuses.get(name))


def show_left(state: State) -> str:
    """The time that is left with its uncertainty, or why it is unknown."""
    if state.remark or state.left is None:
        return state.remark or "time left unknown"
    low, likely, high = map(show_time, state.left)
    return f"about {likely} left" + (f" ({low} to {high})" if low != high else "")


def sparkline(rates: list[float]) -> str:
    """A history as one line of blocks, scaled from zero to its largest number."""
    top = max(rates, default=0.0)
    return "".join(BLOCKS[min(int(len(BLOCKS) * rate / top), len(BLOCKS) - 1)] if top else BLOCKS[0] for rate in rates)
