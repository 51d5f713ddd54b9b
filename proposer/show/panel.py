"""The live display of a scan, for a terminal of 80 columns and 24 lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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


def panel(state: State) -> Table:
    """The display, of at most 23 lines, which a narrow terminal cuts on the right."""
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=True, style="dim", min_width=9)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)

    def row(name: str, words: str, style: str = "") -> None:
        if words:
            table.add_row(name, Text(visible(words), style=style, no_wrap=True, overflow="ellipsis"))

    row("scan", " · ".join(text for text in (state.run, state.method, state.target) if text), "bold")
    table.add_row("good", _good(state))
    row("hit rate", f"{show_percent(state.hit_rate)} {sparkline(state.hit_rates)}")
    row("evaluated", f"{state.evaluated:,}: {_counts(state.statuses)}" if state.evaluated else "nothing yet")
    codes = sorted(state.by_code.items(), key=lambda item: -sum(item[1].values()))
    for name, counts in codes[:MOST_CODES]:
        row("", f"{name or '(not named)'}: {_counts(counts)}")
    if len(codes) > MOST_CODES:
        row("", f"and {len(codes) - MOST_CODES} other codes")
    row("speed", f"{show_number(state.points_per_second, 3)} points/s")
    workers = f"{state.busy} of {state.workers} workers busy" if state.workers else ""
    row("evaluator", " · ".join(text for text in (workers, state.evaluator) if text))
    if len(state.evaluators) > 1:
        for who in state.evaluators[:MOST_EVALUATORS]:
            row("", show_evaluator(who))
        if len(state.evaluators) > MOST_EVALUATORS:
            row("", f"and {len(state.evaluators) - MOST_EVALUATORS:,} other evaluators")
    row("lowest", state.lowest.removeprefix("lowest "))
    now, _, before = state.strategy.partition("; ")
    row("now", now or state.doing)
    row("", " · ".join(text for text in (state.doing if now else "", before) if text))
    row("regions", state.regions)
    row("time", f"{show_time(state.seconds)} so far, {show_left(state)}")
    return table


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
