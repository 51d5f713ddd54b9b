"""`make scan` starts both sides with one command. A kill leaves nothing of them, and the same command goes on."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluator.serving import wait_until
from tests.pair.conftest import ScanFolder, read_run
from tests.pair.processes import MakeScanProcess

MakeScan = Callable[..., ScanFolder]
StartMakeScan = Callable[..., MakeScanProcess]


@pytest.fixture
def scan(make_scan: MakeScan) -> ScanFolder:
    return make_scan(body="time.sleep(0.02)", bootstrap=100, batch=60, iterations=3)


def begin(start: StartMakeScan, scan: ScanFolder, run: Path) -> MakeScanProcess:
    """Starts a scan, and waits until half of it is done."""
    found = start(scan.file, run)
    assert found.wait_for("good: NLL below"), found.said
    before = len(scan.evaluated())
    assert wait_until(lambda: len(scan.evaluated()) > before + 30), found.said
    return found


def check(scan: ScanFolder, run: Path, kills: int) -> None:
    """Checks that the run is complete, and that stored points were evaluated once."""
    points = read_run(run)
    assert len(points.ids) == len(set(points.params)) > 200
    times = Counter(scan.evaluated())
    assert set(times) == set(points.params)
    assert max(times.values()) <= 1 + kills


@pytest.mark.slow
def test_make_scan_runs_to_the_end(make_scan: MakeScan, start_make_scan: StartMakeScan, tmp_path: Path) -> None:
    scan, run = make_scan(setup="  seed: 1\n  max_evaluations: 90"), tmp_path / "run"
    done = start_make_scan(scan.file, run)
    assert done.wait() == 0, done.said
    assert not done.processes() and not done.left()
    points = read_run(run)
    assert sorted(scan.evaluated()) == sorted(points.params)
    assert len(points.ids) == 90
    good = sum(nll < 2 for nll in points.nll)
    assert len((run / "good_points.csv").read_text().splitlines()) == 1 + good > 1
    assert f"good points: {run / 'good_points.csv'}" in done.said
    assert "the file gives no" not in done.said
    assert "fitted to" not in done.said


@pytest.mark.slow
def test_make_scan_names_defaults_once_and_obeys_verbose(
    make_scan: MakeScan, start_make_scan: StartMakeScan, tmp_path: Path
) -> None:
    scan = make_scan(setup="  seed: 1\n  max_evaluations: 70")
    scan.replace("  threshold_value: 2\n", "  verbose: 1\n")
    scan.replace("  points: 100000\n", "")
    done = start_make_scan(scan.file, tmp_path / "run")
    assert done.wait() == 0, done.said
    for words in ("note: the file gives no threshold_value: 100 holds", "note: the file gives no points: 1,000 holds"):
        assert done.said.count(words) == 1
    assert "good: NLL below 100; stops at 1,000 good points" in done.said
    assert "proposer.strategies.networks: fitted to 60 points" in done.said  # shown with verbose, whose default is 0


@pytest.mark.slow
def test_make_scan_goes_on_after_all_its_processes_were_killed(
    scan: ScanFolder, start_make_scan: StartMakeScan, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    killed = begin(start_make_scan, scan, run)
    (pair,) = killed.processes("bin/lodescan run")
    os.kill(pair, signal.SIGKILL)
    assert killed.wait(20) != 0
    assert wait_until(lambda: not killed.processes() and not killed.left()), (killed.said, killed.left())
    again = start_make_scan(scan.file, run)
    assert again.wait() == 0, again.said
    assert "going on: " in again.said
    check(scan, run, 1)


@pytest.mark.slow
def test_make_scan_goes_on_after_its_evaluator_was_killed(
    scan: ScanFolder, start_make_scan: StartMakeScan, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    killed = begin(start_make_scan, scan, run)
    os.kill(min(killed.processes("lodescan-evaluator serve")), signal.SIGKILL)
    assert killed.wait(30) == 2  # the exit code of make for any failure
    assert "\nlodescan: the evaluator was lost; give the same command again to continue\n" in killed.said
    assert "Error 3" in killed.said.splitlines()[-1]
    assert wait_until(lambda: not killed.processes() and not killed.left()), (killed.said, killed.left())
    again = start_make_scan(scan.file, run)
    assert again.wait() == 0, again.said
    check(scan, run, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGQUIT, 131), (signal.SIGTERM, 143)])
def test_signals_end_make_scan_in_order(
    scan: ScanFolder, start_make_scan: StartMakeScan, tmp_path: Path, number: int, code: int
) -> None:
    ended = begin(start_make_scan, scan, tmp_path / "run")
    (pair,) = ended.processes("bin/lodescan run")
    os.kill(pair, number)
    assert ended.wait(30) != 0
    assert f"Error {code}" in ended.said
    assert "interrupted; give the same command again to continue" in ended.said
    assert wait_until(lambda: not ended.processes() and not ended.left()), (ended.said, ended.left())


def test_bad_scan_files_are_refused(make_scan: MakeScan, start_make_scan: StartMakeScan, tmp_path: Path) -> None:
    scan, run = make_scan(setup="  seed: 1\n  environment: nowhere"), tmp_path / "run"
    refused = start_make_scan(scan.file, run)
    assert refused.wait() == 2
    assert "there is no environment 'nowhere': locks/nowhere.txt is missing" in refused.said
    scan.replace("  environment: nowhere\n", "")
    scan.replace("  points: ", "  pionts: ")
    refused = start_make_scan(scan.file, run)
    assert refused.wait() == 2
    assert "unknown key 'pionts' in setup; did you mean 'points'?" in refused.said
    assert not run.exists()
