"""The output of a scan: JSON, the option --quiet, and `lodescan watch` from another process."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from proposer.run.dataset import Dataset
from proposer.show.state import State
from tests.evaluator.serving import wait_until
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, json_lines, meta
from tests.pair.processes import ROOT, ProposerProcess
from tests.proposer.datasets import open_dataset
from tests.proposer.terminal import Terminal
from tests.proposer.test_live import full

MakeScan = Callable[..., ScanFolder]
Lodescan = Callable[..., Said]
WAITS = "while x > 0.5 and not Path(__file__).with_name('go').exists(): time.sleep(0.01)"
Shared = tuple[ScanFolder, EvaluatorProcess]


def test_with_json_each_line_is_an_object_and_there_is_no_other_output(
    make_scan: MakeScan, shared: Shared, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan, run = make_scan(setup="  seed: 1\n  max_evaluations: 50"), tmp_path / "run"
    said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", run, "--json")
    assert (said.code, said.err) == (0, "")
    found = json_lines(said.out)
    assert {event["event"] for event in found} == {"note", "progress", "end"}
    progress = State.from_json(next(event for event in found if event["event"] == "progress"))
    assert (progress.run, progress.method, progress.wanted, progress.workers) == ("ball", "MLS_DNNC", 100_000, 2)
    end = found[-1]
    assert (end["event"], end["code"], end["evaluated"]) == ("end", 0, 50)
    state = State.from_json(meta(run)["live"])
    assert sum(state.statuses.values()) == state.evaluated == 50
    assert (end["good"], state.hit_rate) == (state.good, state.good / 50)

    again = lodescan("status", run, "--json")
    status = json.loads(again.out)
    assert (status["good"], status["statuses"]["OK"], status["pending"]) == (state.good, 50, 10)
    assert status["threshold"] == 2.0 and status["lowest_nll"] == state.lowest_nll
    assert [code["name"] for code in status["codes"]] == ["ball"] and status["codes"][0]["runs"] == 50


def test_errors_are_told_in_json_too(lodescan: Lodescan, tmp_path: Path) -> None:
    said = lodescan("status", tmp_path, "--json")
    (error,) = json_lines(said.out)
    assert (said.code, error["event"], error["code"]) == (2, "error", 2)
    assert error["next_step"] and str(error["text"]) in said.err


def test_with_quiet_a_scan_prints_nothing(
    make_scan: MakeScan, shared: Shared, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan, run = make_scan(setup="  seed: 1\n  max_evaluations: 30"), tmp_path / "run"
    said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", run, "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_with_quiet_failures_are_still_told(
    make_scan: MakeScan, start_evaluator: Callable[..., EvaluatorProcess], lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(body="raise ValueError('a fault')", setup="  seed: 1\n  max_evaluations: 30")
    address = start_evaluator(scan.file).address
    said = lodescan("scan", scan.file, "--evaluator", address, "--run", tmp_path / "run", "--quiet")
    assert (said.code, said.out) == (4, "")
    assert re.search(r"[23]\d points failed one after the other", said.err) and "stopped" not in said.err


@pytest.mark.slow
def test_watch_shows_a_scan_that_runs_elsewhere_until_it_ends(
    make_scan: MakeScan,
    start_evaluator: Callable[..., EvaluatorProcess],
    start_proposer: Callable[..., ProposerProcess],
    tmp_path: Path,
) -> None:
    scan = make_scan(body=WAITS, setup="  seed: 1\n  max_evaluations: 50")
    evaluator, run = start_evaluator(scan.file), tmp_path / "run"
    scanning = start_proposer("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
    assert wait_until(lambda: (run / "dataset.sqlite").exists() and "live" in meta(run), 60), scanning.said
    with Terminal("-m", "proposer", "watch", str(run)) as terminal:
        lines = terminal.wait_for(
            lambda shown: any(line.startswith("evaluator  2 of 2 workers busy") for line in shown)
        )
        assert any(line.startswith("scan       ball · MLS_DNNC") for line in lines)
        piped = subprocess.Popen(
            [sys.executable, "-m", "proposer", "watch", str(run), "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert piped.stdout is not None
        assert json.loads(piped.stdout.readline())["event"] == "progress"
        (scan.folder / "go").touch()
        assert scanning.wait() == 0, scanning.said
        assert terminal.wait() == 0
        assert "stopped: 50 points evaluated (max_evaluations)" in terminal.shown
    found = json_lines(piped.communicate(timeout=30)[0])
    assert piped.returncode == 0
    assert found[-1]["event"] == "end" and found[-1]["evaluated"] == 50


def test_watch_may_be_started_before_the_scan(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with Terminal("-m", "proposer", "watch", str(run)) as terminal:
        time.sleep(1.0)  # watch must have looked in vain, which it does not say
        with open_dataset(run) as dataset:
            dataset.set_meta({"live": replace(full(), at=time.time()).to_json()})
        (run / "lock").write_text("process 1 on another-machine\n")
        terminal.wait_for(lambda shown: any(line.startswith("scan ") for line in shown))


@pytest.mark.parametrize("stopped", ["", "it was enough"])
def test_watch_asks_what_became_of_a_silent_scan_only_if_it_has_not_ended(tmp_path: Path, stopped: str) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"live": replace(full(), at=0.0).to_json(), "stopped": stopped})
    (tmp_path / "lock").write_text("process 1 on another-machine\n")
    with Terminal("-m", "proposer", "watch", str(tmp_path)) as terminal:
        if stopped:
            assert terminal.wait() == 0
            assert f"stopped: {stopped}" in terminal.shown and not any("killed" in line for line in terminal.shown)
        else:
            terminal.wait_for(lambda shown: any("was it killed?" in line for line in shown))


def test_in_a_pipe_too_watch_asks_what_became_of_a_silent_scan(tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"live": replace(full(), at=0.0).to_json()})
    (tmp_path / "lock").write_text("process 1 on another-machine\n")
    program = [sys.executable, "-m", "proposer", "watch", str(tmp_path)]
    with subprocess.Popen(program, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        assert "was it killed?" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "lodescan: interrupted; this ended only the display, not the scan\n"
    assert process.returncode == 128 + signal.SIGINT


def test_a_program_that_reads_json_is_told_of_an_interrupt(tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"live": replace(full(), at=0.0).to_json()})
    (tmp_path / "lock").write_text("process 1 on another-machine\n")
    program = [sys.executable, "-m", "proposer", "watch", str(tmp_path), "--json"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "progress"
        process.send_signal(signal.SIGINT)
        last = json_lines(process.communicate(timeout=30)[0])[-1]
    assert process.returncode == 128 + signal.SIGINT
    words = {"text": "interrupted", "next_step": "this ended only the display, not the scan"}
    assert last == {"event": "error", "code": 130, **words}


def test_a_full_disk_ends_a_command_in_order(tmp_path: Path) -> None:
    """The last event cannot be written either."""
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"live": replace(full(), at=0.0).to_json()})
    (tmp_path / "lock").write_text("process 1 on another-machine\n")
    program = [sys.executable, "-m", "proposer", "watch", str(tmp_path), "--json"]
    with open("/dev/full", "w") as full_disk:
        done = subprocess.run(
            program, cwd=ROOT, stdout=full_disk, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert done.returncode == 74 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("lodescan: its own output: No space left on device; make room")


def test_after_an_interrupt_the_display_is_on_the_screen_once(tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"live": replace(full(), at=time.time()).to_json()})
    (tmp_path / "lock").write_text("process 1 on another-machine\n")
    with Terminal("-m", "proposer", "watch", str(tmp_path), echo=True, lines=40) as terminal:
        terminal.wait_for(lambda shown: any(line.startswith("time ") for line in shown))
        terminal.interrupt()
        assert terminal.wait() == 128 + signal.SIGINT
        shown = terminal.shown
    assert [line.split()[0] for line in shown if line.startswith(("scan ", "good ", "lodescan"))] == [
        "scan",
        "good",
        "lodescan:",
    ]


@pytest.mark.slow
def test_watch_says_that_nobody_runs_a_scan_and_ends(lodescan: Lodescan, tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"live": replace(full(), at=time.time()).to_json()})
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / "lock").write_text(f"process {gone.pid} on {socket.gethostname()}\n")  # as a killed scan leaves it
    words = "no process runs this scan, and it has not finished"
    said = lodescan("watch", tmp_path)
    assert said.code == 2 and said.err.startswith(f"lodescan: {tmp_path}: {words}\nnext: the same scan command")
    assert "not finished | no process runs this scan" in said.out and "left" not in said.out
    progress, error = json_lines(lodescan("watch", tmp_path, "--json").out)
    assert (progress["busy"], progress["left"], error["event"], error["code"]) == (0, None, "error", 2)
    with Terminal("-m", "proposer", "watch", str(tmp_path)) as terminal:
        assert terminal.wait() == 2
        assert any(line.startswith("evaluator  0 of ") for line in terminal.shown)
        assert any(line.startswith("now        no process runs this scan") for line in terminal.shown)


@pytest.mark.parametrize("live", [{"good": 1}, ["nothing"], None])
def test_watch_names_a_folder_that_it_cannot_read(lodescan: Lodescan, tmp_path: Path, live: object) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"live": live})
    said = lodescan("watch", tmp_path)
    assert said.code == 2 and "the scan uses another version of lodescan" in said.err
    with Dataset(tmp_path, read_only=True) as dataset:
        assert dataset.meta()["live"] == live
