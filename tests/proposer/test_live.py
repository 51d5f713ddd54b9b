"""The live display on a terminal of 80 columns and 24 lines: its content, and that other output does not damage it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from proposer.formats import show_percent
from proposer.show.evaluators import EvaluatorWork
from proposer.show.panel import LiveDisplay, RoomForKeys, sparkline
from proposer.show.progress import About, Progress
from proposer.show.state import State
from proposer.show.tally import Tally
from proposer.target import Target
from proposer.types import Outcome, Status
from scanspec.text import broken
from tests.proposer.terminal import Terminal

PROGRAM = """
import logging, sys, warnings
from collections import Counter
from proposer.show.progress import About, Progress
from proposer.show.tally import Tally
from proposer.show.voice import say
from proposer.target import Target
from proposer.types import Outcome, Status
from scanspec.logs import logging_to_stderr
import numpy as np

about = About(run="mssm", method="LODE", variables=("x", "y"), evaluator="ball on 127.0.0.1:50051", workers=2)
tally = Tally(1000, Target(1.0), names=("a", "b"), most=1e6)
with logging_to_stderr(), Progress(tally, about=about) as progress:
    u = np.linspace(0, 1, 2000).reshape(1000, 2)
    progress.asked(range(1, 1001), ["exploit"] * 900 + ["explore"] * 100, u, u)
    progress.doing("iteration 3")
    progress.busy(400)
    outcomes = [Outcome(n, Status.OK, 0.5, (1.0, 1.0), (0.25, 0.25)) for n in range(1, 124)]
    outcomes += [Outcome(n, Status.INVALID, failed_code="ball") for n in range(124, 601)]
    tally.add(outcomes)
    progress.answered(outcomes)
    sys.stdin.readline()
    say("a line of a command")
    say("words " * 40)
    logging.getLogger("a.module").warning("of a module")
    warnings.warn("of a package")
    print("of a program", file=sys.stderr)
    sys.stdin.readline()
print("over")
"""
SHOWN = [
    "scan       mssm · LODE · NLL below 1",
    "good       123 of 1,000 good █",
    "hit rate   20 % ",
    "evaluated  600: 123 ok, 477 invalid",
    "           ball: 477 invalid",
    "speed      ",
    "evaluator  2 of 2 workers busy · ball on 127.0.0.1:50051",
    "lowest     NLL 0.5 (losses: a 0.25, b 0.25)",
    "now        fills the known region (90 %) and looks for new regions (10 %)",
    "           iteration 3",
    "time       ",
]


def test_messages_appear_above_the_display() -> None:
    with Terminal(PROGRAM) as terminal:
        lines = terminal.wait_for(lambda shown: any(line.startswith("time ") for line in shown))
        assert [a.startswith(b) for a, b in zip(lines, SHOWN, strict=False)] == [True] * len(SHOWN), lines
        assert all(len(line) <= 80 for line in lines)
        terminal.enter()
        terminal.wait_for(lambda shown: any("of a program" in line for line in shown))
        terminal.enter()
        assert terminal.wait() == 0
        lines = [line for line in terminal.shown if line]
    assert "a line of a command" in lines and "of a program" in lines
    broken = [line for line in lines if line.startswith("words")]
    assert len(broken) == 4 and {word for line in broken for word in line.split()} == {"words"}
    assert any(line.endswith("a.module: of a module") for line in lines)
    assert any("py.warnings: " in line for line in lines)
    assert not any("good" in line for line in lines)  # at the end the display has disappeared without a trace
    assert lines[-1] == "over"


def test_a_terminal_that_cannot_draw_again_gets_lines() -> None:
    """Such as the shell of Emacs."""
    with Terminal(PROGRAM, term="dumb") as terminal:
        terminal.wait_for(lambda shown: any(line.startswith("123 of 1,000 good | hit rate 20 %") for line in shown))


def test_the_bar_is_clear_without_colours() -> None:
    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(LiveDisplay(full(good=250, wanted=1000)))
    (line,) = [line for line in captured.get().splitlines() if line.startswith("good ")]
    assert line.count("█") == round(0.25 * (line.count("█") + line.count("░"))) > 5


def full(**values: Any) -> State:
    """A state in which every text and number is long."""
    long = "a name that goes on and on " * 9
    codes = {f"{n} {long}": {"INVALID": 10**9, "FAILED": 10**9, "TIMED_OUT": 10**9} for n in range(40)}
    words: dict[str, Any] = dict.fromkeys(
        ("run", "method", "evaluator", "lowest", "doing", "regions", "target", "remark"), long
    )
    numbers: dict[str, Any] = {
        "good": 10**9,
        "wanted": 10**9,
        "evaluated": 10**12,
        "seconds": 1e9,
        "points_per_second": 1e9,
    }
    return State(
        at=0.0,
        by_code=codes,
        statuses=codes[f"0 {long}"],
        hit_rates=[0.1] * 24,
        strategy=f"{long}; {long}",
        busy=10**6,
        workers=10**6,
        evaluators=[EvaluatorWork(long, 10**6, points=10**12, seconds=1e12, first=0.0, last=1e12).to_json()] * 10,
        **(words | numbers | values),
    )


@pytest.mark.parametrize(("columns", "most"), [(80, 24), (200, 24), (40, 24)])
def test_the_display_fits_even_with_long_content(columns: int, most: int) -> None:
    console = Console(width=columns, height=most, force_terminal=True, color_system=None, record=True, quiet=False)
    with console.capture() as captured:
        console.print(LiveDisplay(full()))
    lines = captured.get().splitlines()
    assert len(lines) < most and max(map(len, lines)) <= columns


@pytest.mark.parametrize(("columns", "lines"), [(20, 24), (28, 10), (40, 8), (60, 5), (80, 4)])
def test_a_small_terminal_shows_good_points_hit_rate_and_the_time_that_is_left(columns: int, lines: int) -> None:
    state = full(good=5, wanted=1000, remark="", left=(540.0, 600.0, 900.0), hit_rate=0.25)
    console = Console(width=columns, height=lines, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(RoomForKeys(LiveDisplay(state)))
    shown = captured.get().splitlines()
    assert len(shown) < lines and max(map(len, shown)) <= columns
    for words in ("5 of 1,000 good", "hit rate 25 %", "about 10 min left"):
        assert any(words in " ".join(line.split()) for line in shown), (words, shown)


def test_each_evaluator_of_a_pool_has_a_line() -> None:
    tally = Tally(10, Target(1.0))
    progress = Progress(tally, about=About(evaluator="ball on two", workers=2))
    progress.busy(9, {"a:1": 4, "b:2": 2})
    done: dict[str, Any] = {"status": Status.OK, "nll": 5.0, "seconds": (0.5,), "sent": 10.0, "returned": 12.0}
    progress.answered([Outcome(id=n, evaluator="a:1", **done) for n in range(8)])
    progress.answered([Outcome(id=9, evaluator="b:2", **(done | {"status": Status.FAILED, "nll": None}))])
    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(LiveDisplay(progress.state()))
    lines = [line.strip() for line in captured.get().splitlines()]
    assert "evaluator  6 of 6 workers busy · ball on two" in lines
    assert "a:1: 8 points, 0.5 s a point, 0 failed, 50 % idle" in lines
    assert "b:2: 1 points, 0.5 s a point, 1 failed, 88 % idle" in lines
    assert [evaluator["address"] for evaluator in progress.state().to_json()["evaluators"]] == ["a:1", "b:2"]


def test_names_are_shown_without_control_sequences() -> None:
    console = Console(width=80, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(LiveDisplay(full(run="[red]x\x1b[2J", method="", target="")))
    assert "\x1b[2J" not in captured.get() and "[red]x" in captured.get()


@pytest.mark.parametrize(
    ("rates", "line"), [([], ""), ([0.0, 0.0], "▁▁"), ([0.0, 0.5, 1.0], "▁▅█"), ([1e-9, 2e-9], "▅█")]
)
def test_the_sparkline_shows_the_hit_rate(rates: list[float], line: str) -> None:
    assert sparkline(rates) == line


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        *[(None, "-"), (0.0, "0 %"), (1.0, "100 %"), (0.994, "99 %"), (0.9971, "99.7 %"), (0.9999, ">99.9 %")],
        *[(0.046, "4.6 %"), (1e-9, "<0.001 %")],
    ],
)
def test_percentages_are_rounded_for_people(rate: float | None, shown: str) -> None:
    assert show_percent(rate) == shown


AGAIN = "`lodescan report 'runs/my scan of everything in the mssm'`"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("all points: /a/path/that/is-long/dataset.sqlite", ["all", "points:", "/a/path/that/is-long/dataset.sqlite"]),
        (f"not drawn: {AGAIN} draws it again\n\n  end", ["not drawn:", AGAIN, "draws it", "again", "", "  end"]),
    ],
)
def test_lines_are_broken_at_blanks_but_not_within_words_and_commands(text: str, lines: list[str]) -> None:
    assert broken(text, 10) == "\n".join(lines)


def test_a_path_with_blanks_stays_whole(tmp_path: Path) -> None:
    """Both a file that is there, and one that is still to be written. Only names of files count, however they look."""
    folder = tmp_path / "my scan of the mssm"
    folder.mkdir()
    (folder / "good points.csv").touch()
    for path in (folder / "good points.csv", folder / "report.html", folder):
        assert broken(f"it is in {path}, and is done", 8).split("\n") == ["it is in", f"{path},", "and is", "done"]
    quoted = f"'{tmp_path}/not yet there'"
    assert broken(f"give {quoted} now", 8).split("\n") == ["give", quoted, "now"]
    assert broken(f"{folder} and {folder}/no such file", 8).split("\n")[-3:] == [f"{folder}/no", "such", "file"]


def test_a_command_in_a_message_has_no_line_end_on_a_terminal() -> None:
    """The terminal breaks it where its row ends, and knows that the next row belongs to it."""
    program = f"from proposer.show.voice import say; say({f'not drawn: {AGAIN} draws it again'!r})"
    with Terminal(program, columns=40) as terminal:
        terminal.wait_for(lambda shown: "draws it again" in shown)
        assert terminal.shown[:4] == ["not drawn:", AGAIN[:40].rstrip(), AGAIN[40:], "draws it again"]
        assert terminal.wait() == 0


@pytest.mark.parametrize("columns", [60, 30])
def test_what_is_being_done_is_read_whole_on_a_narrow_terminal_and_disappears(columns: int) -> None:
    words = "drawing the report ... (Ctrl-C ends it; the results are kept)"
    program = f"import sys\nfrom proposer.show.voice import busy\nwith busy({words!r}):\n    sys.stdin.readline()"
    with Terminal(program, columns=columns) as terminal:
        terminal.wait_for(lambda shown: words in " ".join(" ".join(shown).split()))
        terminal.enter("")
        assert terminal.wait() == 0
        assert not any("report" in line or "kept" in line for line in terminal.shown)
