"""The live display on a terminal of 80 columns: what it shows, and that nothing tears it."""

from __future__ import annotations

from tests.proposer.terminal import Terminal

PROGRAM = """
import logging, sys, warnings
from collections import Counter
from proposer.show.progress import Progress, say
from proposer.show.tally import Tally
from proposer.target import Target
from proposer.types import Status
from scanspec.logs import logging_to_stderr

tally = Tally(1000, Target(1.0), start=90, names=("a", "b"))
with logging_to_stderr(), Progress(tally) as progress:
    progress.doing("iteration 3")
    tally.good, tally.by_status = 123, Counter({Status.OK: 2000, Status.INVALID: 653, Status.FAILED: 2})
    progress.update()
    sys.stdin.readline()
    say("a line of a command")
    logging.getLogger("a.module").warning("of a module")
    warnings.warn("of a package")
    print("of a program", file=sys.stderr)
    sys.stdin.readline()
print("over")
"""


def test_what_is_said_stands_above_the_live_display_and_nothing_is_torn() -> None:
    terminal = Terminal(PROGRAM)
    lines = terminal.wait_for(lambda shown: any("123 of 1,000 good" in each for each in shown))
    live = next(each for each in lines if "123 of 1,000 good" in each)
    assert "hit rate 4.6 %" in live and "left" in live  # before the end of the line
    terminal.enter()
    lines = terminal.wait_for(lambda shown: any("of a program" in each for each in shown))
    terminal.enter()
    assert terminal.wait() == 0
    lines = [each for each in terminal.shown if each]
    assert "a line of a command" in lines and "of a program" in lines
    assert any(each.endswith("a.module: of a module") for each in lines)
    assert any("py.warnings: " in each for each in lines)
    assert not any("good" in each for each in lines)  # the display is gone, and left nothing behind
    assert lines[-1] == "over"
