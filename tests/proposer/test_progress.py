"""The progress line of a scan."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np
import pytest

from proposer.show.panel import one_line
from proposer.show.progress import IN_A_ROW, MOST_TOLD, Progress
from proposer.show.tally import MOST_KINDS, Tally
from proposer.target import Target
from proposer.types import Outcome, Status


@pytest.mark.parametrize(
    ("good", "most", "end"),
    [
        (0, 1_100, "about 10 s left"),  # here max_evaluations ends the scan
        (50, 1e9, "about 1 s left"),
        (100, 1e9, "waiting for what runs"),
        (130, 1e9, "waiting for what runs"),
    ],
)
def test_the_remaining_time_is_estimated(monkeypatch: pytest.MonkeyPatch, good: int, most: float, end: str) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tally = Tally(wanted=100, target=Target(1.0), most=most)
    progress = Progress(tally)
    tally.good, tally.by_status = good, Counter({Status.OK: 80, Status.INVALID: 20})
    now += 1.0
    words = one_line(progress.state()).split(" | ")
    assert words == [
        f"{good} of 100 good",
        f"hit rate {good} %",
        end,
        "100 evaluated (20 invalid, 0 failed, 0 timed out)",
        "100 points/s",
    ]


def test_the_first_points_give_no_estimate_of_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start while the scan waits for the first point. If that takes ten seconds, forty points do not take six
    minutes.
    """
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tally = Tally(wanted=20, target=Target(1.0), most=40)
    progress = Progress(tally)
    now += 10.0
    tally.add([outcome(1, 7.0, 7.0)])
    assert "time left unknown" in one_line(progress.state())
    tally.add([outcome(n, 7.0, 7.0) for n in range(2, 21)])
    assert "about 10 s left" in one_line(progress.state())


def test_the_last_state_says_that_the_scan_has_ended() -> None:
    """A notebook shows it for good."""
    tally = Tally(wanted=1, target=Target(1.0), most=40)
    with Progress(tally) as progress:
        tally.add([outcome(1, 0.5, 0.5)])
        assert progress.state().remark == "waiting for what runs"
    assert progress.state().remark == "the scan has ended"


def outcome(point: int, nll: float, *losses: float) -> Outcome:
    return Outcome(point, Status.OK, nll, (1.0,) * len(losses), losses)


def test_a_start_with_one_lucky_point_gives_no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tally = Tally(wanted=1000, target=Target(1.0), start=90, names=("a", "b"))
    progress = Progress(tally)
    progress.doing("iteration 1")
    now += 10.0
    tally.add([outcome(n, 7.96, 0.01, 7.95) for n in range(16)])
    assert one_line(progress.state()).startswith(
        "0 of 1,000 good | hit rate 0 % | start 16 of 90, no estimate before that | iteration 1 | "
        "lowest NLL 7.96 (losses: b 7.95, a 0.01) | "
    )
    tally.add([outcome(n, 7.96, 0.01, 7.95) for n in range(100)])
    tally.add([outcome(1, 0.5, 0.25, 0.25)])
    assert "| time left unknown |" in one_line(progress.state()) and "lowest" not in one_line(progress.state())


def test_the_hit_rate_is_that_of_the_run() -> None:
    """This also holds after a resume; points that came with their NLL do not count."""
    tally = Tally(100, Target(1.0), good=30, good_known=10, by_status=Counter({Status.OK: 200}))
    assert "| hit rate 10 % |" in one_line(Progress(tally).state())
    tally.good = 210
    assert "| hit rate 100 % |" in one_line(Progress(tally).state())
    tally.good = 11
    assert "| hit rate 0.5 % |" in one_line(Progress(tally).state())


def test_failures_in_a_row_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(100, Target(1.0))
    progress = Progress(tally, lambda failed: [f"code {failed.failed_code}: {failed.message}"])
    failed = Outcome(1, Status.FAILED, failed_code="c", message="no such file")
    for _ in range(3):
        tally.add([failed] * 10)
        progress.update()
    said = capsys.readouterr().err
    assert said.count("20 points failed one after the other") == said.count("code c: no such file") == 1
    assert tally.all_failed
    tally.add([outcome(2, 3.0)])
    progress.update()
    assert not tally.all_failed and tally.failed_in_a_row == 0


def test_a_kind_of_failure_is_told_once_however_often_it_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    """Messages that differ only in numbers are of the same kind, and a success in between does not make a kind new."""
    tally, explained = Tally(10_000, Target(1.0)), list[int]()

    def explain(failed: Outcome) -> list[str]:
        explained.append(failed.id)
        return [failed.message]

    progress = Progress(tally, explain)
    for start in range(1, 2000, 100):
        tally.add([outcome(start, 3.0)])
        for point in range(start + 1, start + 100):
            tally.add([Outcome(point, Status.FAILED, failed_code="c", message=f"no root at m0 = {point / 7}")])
            progress.update()
    assert len(explained) == 1
    tally.add([Outcome(3000, Status.TIMED_OUT, failed_code="c", message="took 60 s")] * IN_A_ROW)
    progress.update()
    said = capsys.readouterr().err
    assert explained == [IN_A_ROW + 1, 3000]
    assert "20 points failed one after the other; so far 20 like the last of them:" in said
    assert "so far 20 like" in said.splitlines()[-2] and said.splitlines()[-1] == "  took 60 s"
    assert {failure.points for failure in tally.failures.values()} == {20, 1980}


def test_only_the_first_of_many_kinds_of_failures_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    tally = Tally(100, Target(1.0))
    progress = Progress(tally, lambda failed: [failed.message])
    for number in range(3000):
        word = "".join("abcdefghij"[int(digit)] for digit in str(number))
        tally.add([Outcome(number, Status.FAILED, failed_code="c", message=word)])
        progress.update()
    said = capsys.readouterr().err
    assert said.count("one after the other") == MOST_TOLD
    assert "`lodescan status` on the run's folder has all" in said.splitlines()[-1]
    assert len(tally.failures) == MOST_KINDS + 1


@pytest.mark.parametrize(
    ("value", "shown"), [(1e9, "1,000,000,000"), (0.5, "0.5"), (10.0, "10"), (1e300, "1e+300"), (-2e6, "-2,000,000")]
)
def test_numbers_are_shown_with_separators(value: float, shown: str) -> None:
    assert Target(value).describe() == f"NLL below {shown}"


def test_the_display_says_that_points_are_being_chosen_while_no_worker_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tally = Tally(wanted=100, target=Target(1.0))
    tally.by_status = Counter({Status.OK: 210})
    progress = Progress(tally)
    point = np.zeros((1, 1))
    progress.asked([1], ["exploit"], point, point)
    evaluates = progress.state().strategy
    assert "fills the known region" in evaluates
    with progress.thinking():
        assert progress.state().strategy == evaluates, "a short thought is not worth a line"
        now += 5.0
        assert progress.state().strategy == "learns from 210 points and chooses the next ones (5 s)"
        progress.busy(2)
        assert progress.state().strategy == evaluates, "points are evaluated meanwhile"
        progress.busy(0)
    assert progress.state().strategy == evaluates


def test_a_batch_counts_as_good_when_all_its_points_are_answered() -> None:
    """LODE requests a batch while the one before runs: after the first few answers, 0 % or 100 % would mean nothing."""
    progress = Progress(tally := Tally(wanted=100, target=Target(1.0), most=400))
    for first in (1, 5):
        progress.asked(range(first, first + 4), ["exploit"] * 4, np.zeros((4, 2)), np.zeros((4, 2)))
    for point, nll in ((1, 9.0), (5, 9.0), (2, 0.5), (3, 0.5)):
        tally.add(answers := [outcome(point, nll)])
        progress.answered(answers)
        assert "of the last complete batch" not in progress.state().strategy
    progress.answered([outcome(4, 0.5)])
    assert progress.state().strategy == "fills the known region; 75 % of the last complete batch was good"
