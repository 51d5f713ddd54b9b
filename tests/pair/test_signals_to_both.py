"""A batch system signals all processes of a job at once, so both sides of `lodescan run`."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluator.harness import TAG
from tests.evaluator.serving import wait_until
from tests.pair.conftest import ScanFolder
from tests.pair.processes import LoggedProcess, tagged

TRAINS = """
import ctypes, sys, threading, time
from pathlib import Path
from proposer.commands import scan
from proposer.commands.main import main

over, libc = ctypes.create_string_buffer(256), ctypes.CDLL(None)
libc.pthread_barrier_init(over, None, 2)


def wait_for_go():
    while not Path(sys.argv[2]).exists():
        time.sleep(0.01)
    libc.pthread_barrier_wait(over)


def train(*_, **__):
    threading.Thread(target=wait_for_go, daemon=True).start()
    print("training", flush=True)
    libc.pthread_barrier_wait(over)  # no signal interrupts this call
    time.sleep(60)


scan.scan = train
sys.exit(main(["run", sys.argv[1], "--workers", "1"]))
"""
"""The command with a scan that trains, in one call into a library, until there is the file `go`."""


@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True])
def test_the_signal_is_named_when_it_also_ends_the_evaluator_during_a_training(
    make_scan: Callable[..., ScanFolder], tmp_path: Path, alone: bool
) -> None:
    tag, go = uuid.uuid4().hex, tmp_path / "go"
    command = [sys.executable, "-c", TRAINS, str(make_scan().file), str(go)]
    run = LoggedProcess(tmp_path / "log", command, **{TAG: tag})
    try:
        assert run.wait_for("training"), run.said
        evaluator = min(tagged(tag, "lodescan-evaluator serve"))
        os.kill(evaluator, signal.SIGTERM)
        if not alone:
            run.process.send_signal(signal.SIGTERM)
        assert wait_until(lambda: not Path(f"/proc/{evaluator}").exists()), run.said
        go.touch()
        assert run.wait() == (3 if alone else 143), run.said
    finally:
        run.kill()
    assert ("the evaluator was lost" in run.said) == alone
    assert ("interrupted; give the same command again to continue" in run.said) != alone
    assert wait_until(lambda: not tagged(tag))
