"""A scan whose terminal is closed, with its live display."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from proposer.commands.unwatched import Unwatched
from tests.pair.conftest import EvaluatorProcess, ScanFolder, read_run

MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]


def test_what_is_written_after_a_terminal_was_closed_is_discarded() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", buffering=1) as terminal:
        out = Unwatched(terminal)
        print("seen", file=out)
        assert out.isatty() and out.fileno() == theirs and os.read(ours, 100) == b"seen\r\n"
        os.close(ours)
        for _ in range(3):
            print("unseen", file=out, flush=True)
        assert os.fstat(theirs).st_rdev == os.stat(os.devnull).st_rdev


BEHIND_ANOTHERS = "import runpy; runpy.run_module('proposer', run_name='__main__')"
BEHIND_ITS_OWN = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {BEHIND_ANOTHERS}"


@pytest.mark.slow
@pytest.mark.parametrize("hangs_up", [True, False], ids=["its own", "of another session"])
def test_a_scan_ends_in_order_or_goes_on_when_its_terminal_is_closed(
    make_scan: MakeScan, start_evaluator: StartEvaluator, tmp_path: Path, *, hangs_up: bool
) -> None:
    """The kernel sends SIGHUP only if the terminal controls the scan; after `disown` or `setsid` it does not."""
    scan, run = make_scan(points=40, body="time.sleep(0.05)", setup="  seed: 1\n  type: RANDOM"), tmp_path / "run"
    ours, theirs = pty.openpty()
    address = start_evaluator(scan.file).address
    command = ["scan", str(scan.file), "--evaluator", address, "--run", str(run), "--no-report"]
    process = subprocess.Popen(
        [sys.executable, "-c", BEHIND_ITS_OWN if hangs_up else BEHIND_ANOTHERS, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        said = b""
        while b"points/s" not in said:
            assert select.select([ours], [], [], 60.0)[0]
            said += os.read(ours, 65536)
        os.close(ours)
        assert process.wait(120) == (128 + signal.SIGHUP if hangs_up else 0)
    finally:
        process.kill()
        process.wait()
    good = sum(nll < 2.0 for nll in read_run(run).nll)
    written = len((run / "good_points.csv").read_text().splitlines()) - 1
    assert written == good if hangs_up else written == 40 <= good
