"""The report at the end of a scan: a message says that it is being drawn, and an interrupt meanwhile loses nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluator.serving import wait_until
from tests.pair.conftest import EvaluatorProcess, ScanFolder, meta
from tests.proposer.terminal import Terminal

Shared = tuple[ScanFolder, EvaluatorProcess]


@pytest.mark.slow
def test_an_interrupt_while_the_report_is_drawn_loses_nothing(
    make_scan: Callable[..., ScanFolder], shared: Shared, tmp_path: Path
) -> None:
    scan, run = make_scan(setup="  seed: 1\n  max_evaluations: 50"), tmp_path / "run"
    command = ("proposer", "scan", str(scan.file), "--evaluator", shared[1].address, "--run", str(run))
    with Terminal("-m", *command, columns=200) as terminal:
        terminal.wait_for(lambda shown: any("drawing the report ..." in line for line in shown))
        # waits for the first picture: an interrupt while matplotlib loads its fonts may get lost
        assert wait_until(lambda: any((run / "plots").glob("*.png")), 120)
        terminal.process.send_signal(signal.SIGINT)
        code = terminal.wait()
    said = "\n".join(terminal.shown)
    assert code == 0, said
    assert "not drawn: interrupted; all results are kept" in said and f"lodescan report {run}" in said
    assert "Traceback" not in said and "drawing the report" not in said
    assert meta(run)["stopped"] and (run / "good_points.csv").exists()
    assert not (run / "report.html").exists() and not list(run.rglob("*.new"))
