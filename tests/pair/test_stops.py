"""When a scan stops, its message, and how it goes on."""

from __future__ import annotations

import json
import re
import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proposer.signals import CHOSEN_ENDS, ENDS, Interrupted, interruptible
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, meta, read_run
from tests.pair.processes import ProposerProcess

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]
StartProposer = Callable[..., ProposerProcess]
Shared = tuple[ScanFolder, EvaluatorProcess]


def good(run: Path, threshold: float = 2.0) -> int:
    return sum(nll < threshold for nll in read_run(run).nll)


def test_a_scan_stops_at_its_good_points_and_goes_on_for_more(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    address, run = shared[1].address, tmp_path / "run"
    scan = make_scan(points=5)
    command = ("scan", scan.file, "--evaluator", address, "--run", run)
    said = lodescan(*command)
    assert (said.code, good(run) >= 5) == (0, True)
    assert "stopped: 5 good points found (points: 5)" in said.err

    # With the same command again, the scan is finished and nothing is evaluated.
    before = read_run(run).history()
    said = lodescan(*command)
    assert said.code == 0
    assert "stopped: 5 good points found (points: 5)" in said.err
    assert read_run(run).history() == before

    # With more points, it goes on as one scan with the higher number would.
    scan.write(points=30)
    assert lodescan(*command).code == 0
    assert good(run) >= 30
    assert lodescan(*command[:-1], tmp_path / "straight").code == 0
    ours, straight = read_run(run).history(), read_run(tmp_path / "straight").history()
    ids = read_run(tmp_path / "straight").ids
    last = ids.index(int((run / "good_points.csv").read_text().splitlines()[30].partition(",")[0])) + 1
    assert ours[:last] == straight[:last] and last >= 30
    assert (run / "good_points.csv").read_bytes() == (tmp_path / "straight" / "good_points.csv").read_bytes()
    assert (run / "scan.yaml").read_text() == scan.file.read_text(), "the copy has the present limits"


def test_a_scan_that_goes_on_from_a_moved_file_names_that_one(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    address, run = shared[1].address, tmp_path / "run"
    scan = make_scan(points=5)
    assert lodescan("scan", scan.file, "--evaluator", address, "--run", run).code == 0
    scan.write(points=8)
    moved = scan.file.rename(scan.file.with_name("moved.yaml"))
    assert lodescan("scan", moved, "--evaluator", address, "--run", run).code == 0
    assert f"lodescan-evaluator point {moved} " in lodescan("point", run, "1").out
    assert json.loads((run / "manifest.json").read_text())["scan_file"] == str(moved)
    assert "written anew" not in lodescan("scan", moved, "--evaluator", address, "--run", run).err


def test_a_scan_stops_after_its_iterations(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(iterations=1)
    command = ("scan", scan.file, "--evaluator", shared[1].address, "--run", tmp_path / "run")
    for _ in range(2):
        said = lodescan(*command)
        assert said.code == 0
        assert "stopped: all 1 iterations are done (Iterations)" in said.err
    first = read_run(tmp_path / "run").history()
    scan.write(iterations=2)
    assert "all 2 iterations" in lodescan(*command).err
    both = read_run(tmp_path / "run").history()
    assert both[: len(first)] == first
    assert len(both) > len(first)


def test_max_evaluations_is_exact_and_does_not_change_which_points_are_chosen(
    shared: Shared,
    make_scan: MakeScan,
    lodescan: Lodescan,
    start_evaluator: Callable[..., EvaluatorProcess],
    tmp_path: Path,
) -> None:
    scan = make_scan(setup="  seed: 1\n  max_evaluations: 83")
    evaluator = start_evaluator(scan.file)
    command = ("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    for _ in range(2):  # also if the command is given again
        said = lodescan(*command)
        assert said.code == 0
        assert "stopped: 83 points evaluated (max_evaluations)" in said.err
        assert len(read_run(tmp_path / "run").ids) == 83
        assert len(scan.evaluated()) == 83
    # Good points of the incomplete batch are in the table.
    rows = (tmp_path / "run" / "good_points.csv").read_text().splitlines()[1:]
    assert len(rows) == good(tmp_path / "run") > 0
    # With a higher budget, it goes on as if there had been no stop.
    scan.write(setup="  seed: 1\n  max_evaluations: 84")
    assert "84 points evaluated" in lodescan(*command).err
    scan.write(setup="  seed: 1")
    assert lodescan(*command).code == 0
    straight = ("scan", shared[0].file, "--evaluator", shared[1].address, "--run", tmp_path / "straight")
    assert lodescan(*straight).code == 0
    assert read_run(tmp_path / "run").history() == read_run(tmp_path / "straight").history()
    assert sorted(scan.evaluated()) == sorted(read_run(tmp_path / "run").params)


@pytest.mark.slow
def test_max_hours_counts_the_time_of_all_commands(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> None:
    scan = make_scan(body="time.sleep(0.01)", setup="  seed: 1\n  max_hours: 0.0004", bootstrap=400)  # 1.44 s
    evaluator = start_evaluator(scan.file, workers=1)
    command = ("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    said = lodescan(*command)
    assert said.code == 0
    assert "stopped: 0.0004 hours are over (max_hours)" in said.err
    n = len(read_run(tmp_path / "run").ids)
    assert 0 < n < 400
    assert meta(tmp_path / "run")["seconds"] >= 1.44
    # The time of all commands counts, so the same command again has none left.
    said = lodescan(*command)
    assert (said.code, "(max_hours)" in said.err) == (0, True)
    assert len(read_run(tmp_path / "run").ids) == n
    scan.write(setup="  seed: 1", iterations=1)
    assert lodescan(*command).code == 0
    assert read_run(tmp_path / "run").ids[:400] == list(range(1, 401))


def test_a_scan_without_a_good_point_uses_its_whole_budget(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(setup="  seed: 1\n  max_evaluations: 130")
    scan.replace("threshold_value: 2", "threshold_value: -1")
    said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", tmp_path / "run")
    assert said.code == 5
    assert re.search(r"130 points evaluated in \d+ s: 0 good .* lowest NLL \d", said.err)
    assert "good points:" not in said.err and "finding no good point does not prove that there is none" in said.err
    again = lodescan("scan", scan.file, "--evaluator", "127.0.0.1:1", "--run", tmp_path / "run")
    assert (again.code, "is finished" in again.err) == (5, True)


def test_a_scan_whose_points_all_fail_names_the_code_and_the_reason(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> None:
    """The message comes at once, and says how to run one such point. `status` and the exit code tell it too."""
    scan = make_scan("a folder", body='raise OSError("no tables here")', setup="  seed: 1\n  max_evaluations: 60")
    evaluator = start_evaluator(scan.file, workers=1)
    run = tmp_path / "run"
    said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
    assert said.code == 4
    early = said.err[: said.err.index("stopped:")]
    assert "points failed one after the other" in early and "code ball: " in early and "no tables here" in early
    status = lodescan("status", run)
    assert status.code == 0 and "failed, 60 points: code ball: " in status.out and "no tables here" in status.out
    points = read_run(run).params
    for text in (early, status.out):
        (command,) = re.findall("run it alone: (.*)", text)
        words = shlex.split(command)
        assert words[:3] == ["lodescan-evaluator", "point", str(scan.file)]
        assert tuple(float(word.partition("=")[2]) for word in words[3:]) in points


def test_a_finished_run_needs_no_evaluator(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan, run = make_scan(iterations=1), tmp_path / "run"
    first = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", run)
    nobody = ("scan", scan.file, "--evaluator", "127.0.0.1:1", "--run", run)
    start = time.monotonic()
    again = lodescan(*nobody)
    assert (again.code, time.monotonic() - start < 30) == (0, True)  # without an evaluator it would wait for a minute
    end = first.err.splitlines()[-4:]
    assert end[0] == "stopped: all 1 iterations are done (Iterations)"
    assert again.err.splitlines() == [
        f"{run} is finished; more points or a higher budget in the scan file continue it",
        *end,
    ]
    # Another seed is another run, so it is not finished.
    assert lodescan(*nobody, "--wait", "0", "--seed", "2").code == 3
    # With more to do, it needs an evaluator.
    scan.write(iterations=2)
    said = lodescan(*nobody, "--wait", "0")
    assert (said.code, "no evaluator answers at 127.0.0.1:1" in said.err) == (3, True)


@pytest.mark.parametrize("kind", ["LODE", "RANDOM", "MLS_DNNC", "CMAES"])
def test_a_target_may_be_a_band_of_the_nll(
    kind: str, shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    """For any type, the good points, their table, the counts, the messages and the end are those of the band."""
    scan = make_scan(setup=f"  seed: 1\n  type: {kind}\n  max_evaluations: 250", points=20)
    scan.replace("threshold_value: 2", "threshold_value: [1.5, 4]")
    run = tmp_path / "run"
    assert "good: NLL between 1.5 and 4; stops at 20" in lodescan("check", scan.file).out
    said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", run)
    assert said.code == 0 and "good: NLL between 1.5 and 4; stops at 20 good points" in said.err
    points = read_run(run)
    wanted = {i for i, nll in zip(points.ids, points.nll, strict=True) if 1.5 < nll < 4}
    table = (run / "good_points.csv").read_text().splitlines()
    assert [int(row.split(",")[0]) for row in table[1:]] == sorted(wanted)[:20] and len(wanted) >= 3
    assert any(nll <= 1.5 for nll in points.nll) or kind == "CMAES"
    assert f"{len(wanted)} good (NLL between 1.5 and 4)" in said.err
    assert f"{len(wanted)} of 20 good points (NLL between 1.5 and 4)" in lodescan("status", run).out
    assert ("stopped: 20 good points found" in said.err) == (len(wanted) >= 20)
    again = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", run)
    assert f"{len(wanted)} good (NLL between 1.5 and 4)" in again.err and len(read_run(run).ids) == len(points.ids)
    scan.replace("[1.5, 4]", "4")
    other = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", run)
    assert other.code == 2 and "threshold_value" in other.err


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGHUP,
        *(pytest.param(sent, marks=pytest.mark.slow) for sent in (signal.SIGUSR1, signal.SIGXCPU, signal.SIGALRM)),
    ],
    ids=lambda number: number.name,
)
def test_signals_of_terminals_and_batch_systems_end_a_scan_in_order(
    number: signal.Signals,
    make_scan: MakeScan,
    start_evaluator: StartEvaluator,
    start_proposer: StartProposer,
    tmp_path: Path,
) -> None:
    scan, run = make_scan(body="time.sleep(0.05)", setup="  seed: 1\n  type: RANDOM"), tmp_path / "run"
    evaluator = start_evaluator(scan.file)
    proposer = start_proposer("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
    proposer.runs_until(lambda: (run / "dataset.sqlite").exists() and good(run) > 2)
    proposer.process.send_signal(number)
    assert proposer.wait() == 128 + number, proposer.said
    assert proposer.said.splitlines()[-1] == "lodescan: interrupted; give the same command again to continue"
    assert len((run / "good_points.csv").read_text().splitlines()) == 1 + good(run)


def test_handlers_of_signals_are_restored_and_nohup_is_respected(lodescan: Lodescan, tmp_path: Path) -> None:
    before = {number: signal.getsignal(number) for number in ENDS}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        assert lodescan("status", tmp_path).code == 2
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert all(signal.getsignal(number) is before[number] for number in ENDS if number != signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])


def test_a_signal_that_a_user_chooses_ends_a_command_unless_it_is_handled() -> None:
    before = {number: signal.getsignal(number) for number in CHOSEN_ENDS}
    try:
        signal.signal(signal.SIGPROF, _profile)
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPWR, signal.SIGRTMIN, signal.SIGRTMAX):
            signal.signal(number, signal.SIG_DFL)
            with interruptible():
                assert signal.getsignal(signal.SIGPROF) is _profile
                assert signal.getsignal(signal.SIGIO) is signal.SIG_IGN
                assert signal.getsignal(number) is not signal.SIG_DFL, "it would end the tests"
                with pytest.raises(Interrupted) as interrupted:
                    signal.raise_signal(number)
            assert interrupted.value.number == number
            assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _profile(number: int, frame: object) -> None:
    """A handler, as that of a profiler."""
