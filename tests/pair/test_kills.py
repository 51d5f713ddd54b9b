"""Kills at any moment lose nothing, no stored point is evaluated again, and the scan asks for the same points."""

from __future__ import annotations

import math
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from proposer.run.dataset import Dataset
from proposer.wire.remote import WINDOW_SECONDS
from tests.evaluator.serving import wait_until
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, read_run
from tests.pair.processes import ProposerProcess

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]
StartProposer = Callable[..., ProposerProcess]

KILLS, POINTS = 40, 1200
WORKERS = 2
SLEEP = 0.05
WINDOW = WORKERS * (1 + int(WINDOW_SECONDS / SLEEP))
"""The most points that may be outstanding, since no point takes less than SLEEP."""


class Killed:
    """The effect of a series of kills on a run."""

    def __init__(self, scan: ScanFolder, run: Path) -> None:
        self.scan, self.run, self.kills = scan, run, 0
        self._committed: list[tuple[set[tuple[float, ...]], int]] = []

    def look(self) -> None:
        """Notes, right after a kill, which points are stored and how many have begun."""
        self.kills += 1
        begun = len(self.scan.evaluated())  # read first, because a point that is stored meanwhile is in the log already
        stored = set(read_run(self.run).params) if (self.run / "dataset.sqlite").exists() else set()
        self._committed.append((stored, begun))
        table = self.run / "good_points.csv"
        if table.exists():  # a kill may cut its last line
            ids = [line.partition(",")[0] for line in table.read_text().splitlines()[1:-1]]
            assert len(ids) == len(set(ids))

    def begun_twice(self) -> set[tuple[float, ...]]:
        """The points that have begun more than once and are not yet stored."""
        begun = Counter(self.scan.evaluated())
        return {point for point, times in begun.items() if times > 1} - set(read_run(self.run).params)

    def check(self, expected: list[tuple[object, ...]]) -> int:
        """Checks all that must hold after kills; returns how many points were evaluated twice."""
        points, begun = read_run(self.run), self.scan.evaluated()
        assert points.history() == expected
        assert len(set(points.ids)) == len(set(points.params)) == len(points.ids)
        with Dataset(self.run, read_only=True) as dataset:
            left = dataset.pending().ids  # asked for, but no longer wanted when the target was met
        ids = [int(line.partition(",")[0]) for line in (self.run / "good_points.csv").read_text().splitlines()[1:]]
        assert (left > max(ids, default=math.inf)).all()
        before = 0
        for number, (stored, so_far) in enumerate(self._committed, 1):
            again = stored & set(begun[so_far:])
            assert not again, f"{len(again)} points that were stored at kill {number} were evaluated again"
            lost = set(begun[before:so_far]) & set(begun[so_far:])
            assert len(lost) <= WINDOW, f"kill {number} cost {len(lost)} evaluations"
            before = so_far
        times = Counter(begun)
        assert set(times) == set(points.params)
        twice = sum(times.values()) - len(times)
        assert twice <= self.kills * WINDOW
        assert max(times.values()) <= 1 + self.kills
        return twice


class Killing:
    """A scan whose sides are killed at random moments, and the points of the same scan without kills."""

    def __init__(self, scan: ScanFolder, run: Path, expected: list[tuple[object, ...]]) -> None:
        self.scan, self.run, self.expected = scan, run, expected
        self.killed = Killed(scan, run)

    def while_it_runs(self, proposer: ProposerProcess, rng: np.random.Generator, kills: int) -> None:
        """Waits until the moment of the next one of `kills` kills, which are spread over the rest of the scan."""
        left = len(self.expected) - len(set(self.scan.evaluated()))
        time.sleep(rng.uniform(0, 0.9 * left * SLEEP / WORKERS / (kills - self.killed.kills)))
        assert proposer.process.poll() is None, f"it ended before kill {self.killed.kills + 1}: {proposer.said}"

    def check(self, proposer: ProposerProcess, what: str) -> None:
        """Waits for the end of the scan, and checks all that must hold after kills."""
        assert proposer.wait() == 0, proposer.said
        twice = self.killed.check(self.expected)
        print(f"{self.killed.kills} kills of {what}, {len(self.expected)} points, {twice} evaluated twice")


MakeKilling = Callable[[int], Killing]


@pytest.fixture
def make_killing(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> MakeKilling:
    """Makes a scan with about so many points."""

    def make(points: int) -> Killing:
        scan = make_scan(body=f"time.sleep({SLEEP})", bootstrap=points // 4, batch=points // 4, iterations=3)
        quick = ScanFolder(tmp_path / "quick", scan.values)  # its points take no time
        evaluator = start_evaluator(quick.file, workers=WORKERS)
        straight = tmp_path / "straight"
        assert lodescan("scan", quick.file, "--evaluator", evaluator.address, "--run", straight).code == 0
        evaluator.stop()
        return Killing(scan, tmp_path / "run", read_run(straight).history())

    return make


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_both_sides_are_killed_twenty_times_each(
    make_killing: MakeKilling, start_evaluator: StartEvaluator, start_proposer: StartProposer
) -> None:
    """The sides are killed in turn in one scan. A killed proposer goes on with the same evaluator, and a killed
    evaluator is started again for the same proposer.
    """
    killing = make_killing(POINTS)
    rng, evaluator = np.random.default_rng(KILLS), start_evaluator(killing.scan.file, workers=WORKERS)
    command = ("scan", killing.scan.file, "--evaluator", evaluator.address, "--run", killing.run)
    proposer = start_proposer(*command)
    while killing.killed.kills < KILLS:
        evaluator_s_turn = killing.killed.kills % 2
        # A proposer is killed while it evaluates, trains or stores, and sometimes while it starts.
        if evaluator_s_turn or rng.random() < 0.8:
            assert proposer.wait_for("good: NLL below"), proposer.said
        killing.while_it_runs(proposer, rng, KILLS)
        if evaluator_s_turn:
            # points that have begun twice must be answered first: a point during which an evaluator ends
            # a third time fails
            assert wait_until(lambda: not killing.killed.begun_twice(), 60), proposer.said
            evaluator.kill()
            killing.killed.look()
            evaluator.restart()
        else:
            proposer.kill()
            killing.killed.look()
            proposer = start_proposer(*command)
    killing.check(proposer, "both sides")


@pytest.mark.slow
def test_a_point_whose_worker_is_killed_is_sent_again_twice_and_then_fails(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    scan = make_scan(
        body="time.sleep(0.005)\nif x < 0.1: os.kill(os.getpid(), signal.SIGKILL)", bootstrap=40, iterations=1, batch=10
    )
    evaluator = start_evaluator(scan.file)
    said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    assert said.code == 0
    points, times = read_run(tmp_path / "run"), Counter(scan.evaluated())
    lethal = [params[0] < 0.1 for params in points.params]
    assert 0 < sum(lethal) < 20
    for kills, params, status, attempts, message in zip(
        lethal, points.params, points.status, points.attempts, points.message, strict=True
    ):
        assert status == ("FAILED" if kills else "OK")
        assert attempts == (3 if kills else 0)
        assert times[params] == (3 if kills else 1)
        assert ("killed from outside 3 times" in message) == kills
    assert f"{sum(lethal)} failed" in said.err


def test_a_point_that_was_killed_once_is_answered_at_the_second_try(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    body = """
    time.sleep(0.005)
    mark = Path(__file__).with_name(f"{x!r}.killed")
    if x < 0.1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    scan = make_scan(body=body, bootstrap=40, iterations=1, batch=10)
    evaluator = start_evaluator(scan.file)
    assert lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run").code == 0
    points = read_run(tmp_path / "run")
    assert set(points.status) == {"OK"}
    assert points.attempts == [int(params[0] < 0.1) for params in points.params]


@pytest.mark.slow
def test_signals_end_the_proposer_with_their_exit_code(
    make_killing: MakeKilling, start_evaluator: StartEvaluator, start_proposer: StartProposer
) -> None:
    killing = make_killing(200)
    killed, expected, evaluator = killing.killed, killing.expected, start_evaluator(killing.scan.file, workers=WORKERS)
    command = ("scan", killing.scan.file, "--evaluator", evaluator.address, "--run", killed.run)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        proposer = start_proposer(*command)
        assert proposer.wait_for("| ")  # after the first line of progress, results have come
        time.sleep(0.2)
        proposer.process.send_signal(number)
        assert proposer.wait(20) == code, proposer.said
        assert proposer.said.splitlines()[-1] == "lodescan: interrupted; give the same command again to continue"
        assert "Traceback" not in proposer.said
        killed.look()
        points = read_run(killed.run)
        assert points.history() == expected[: len(points.ids)] or set(points.history()) < set(expected)
        rows = (killed.run / "good_points.csv").read_text().splitlines()[1:]
        assert len(rows) == sum(nll < 2 for nll in points.nll)
    killing.check(start_proposer(*command), "the proposer by signals")
