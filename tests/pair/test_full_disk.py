"""A disk that becomes full during a scan gives a clear message, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, read_run
from tests.pair.processes import ROOT


@pytest.mark.slow
def test_a_full_disk_ends_a_scan_which_then_goes_on_without_loss(
    make_scan: Callable[..., ScanFolder],
    lodescan: Callable[..., Said],
    start_evaluator: Callable[..., EvaluatorProcess],
    tmp_path: Path,
) -> None:
    scan = make_scan()
    command = ["scan", scan.file, "--evaluator", start_evaluator(scan.file).address, "--run", tmp_path / "run"]
    words = [sys.executable, "-m", "proposer", *map(str, command)]
    # No file may grow beyond this; the system then gives the same error as for a full disk.
    limited = ["bash", "-c", 'ulimit -f 120; exec "$@"', "bash", *words]  # 120 KiB
    said = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert said.returncode == 74, said.stderr
    last = said.stderr.splitlines()[-1]
    assert str(tmp_path / "run" / "dataset.sqlite") in last, said.stderr
    assert "check the disk" in last
    assert "Traceback" not in said.stderr

    stored = read_run(tmp_path / "run").history()
    assert 0 < len(stored) < 180
    begun = len(scan.evaluated())
    assert lodescan(*command).code == 0
    whole = read_run(tmp_path / "run").history()
    assert [row for row in whole if row in stored] == stored  # answers may come in any order
    assert lodescan(*command[:-1], tmp_path / "straight").code == 0
    assert read_run(tmp_path / "straight").history() == whole
    # Only points whose answers were not on the disk are evaluated again.
    assert len(scan.evaluated()) == begun + len(whole) - len(stored) + len(whole)
