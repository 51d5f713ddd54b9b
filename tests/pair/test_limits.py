"""`max_hours` holds during a training, while points run, and with an evaluator that does not answer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proposer.commands.run import socket_folder
from proposer.wire import patience
from scanspec.addresses import LONGEST_PATH
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, meta, read_run

MakeScan = Callable[..., ScanFolder]
Lodescan = Callable[..., Said]


def test_max_hours_ends_a_training(
    make_scan: MakeScan, shared: tuple[ScanFolder, EvaluatorProcess], lodescan: Lodescan, tmp_path: Path
) -> None:
    """The training would take hours. An earlier command evaluates the bootstrap, however long that takes."""
    scan, run = make_scan(setup="  seed: 1\n  max_evaluations: 60"), tmp_path / "run"
    for key, old, new in (("neurons", 12, 2000), ("batch_size", 256, 1), ("epochs", 4, 10_000)):
        scan.replace(f"  {key}: {old}\n", f"  {key}: {new}\n")
    command = ("scan", scan.file, "--evaluator", shared[1].address, "--run", run)
    assert lodescan(*command).code == 0
    hours = (meta(run)["seconds"] + 2.0) / 3600
    scan.replace("max_evaluations: 60", f"max_hours: {hours}")
    start = time.monotonic()
    said = lodescan(*command)
    assert (said.code, time.monotonic() - start < 120) == (0, True), said.err
    assert f"stopped: {hours:g} hours are over (max_hours)" in said.err
    assert len(read_run(run).ids) == 60


@pytest.mark.slow
def test_max_hours_gives_up_running_points_and_begins_no_waiting_ones(
    make_scan: MakeScan,
    start_evaluator: Callable[..., EvaluatorProcess],
    lodescan: Lodescan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "GRACE", 1.0)
    # slow enough that points never share a message
    body = "time.sleep(30 if Path(__file__).with_name('evaluations.log').stat().st_size > 300 else 0.01)"
    scan, run = make_scan(body=body, setup="  seed: 1\n  max_hours: 0.0008"), tmp_path / "run"
    evaluator = start_evaluator(scan.file)
    said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
    assert said.code == 5, said.err  # no point was good
    assert "no longer waited for, and sent again if the run goes on" in said.err
    assert "stopped: 0.0008 hours are over (max_hours)" in said.err
    answered = len(read_run(run).ids)
    assert 0 < answered < 60
    begun = len(scan.evaluated())
    assert begun == answered + 2  # one point for each worker


def test_the_pair_s_socket_has_a_short_name_that_nobody_can_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def address() -> str:
        return f"unix:{socket_folder()}/wire"

    assert address().startswith(f"unix:{tempfile.gettempdir()}/lodescan-") and address() != address()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 30)))
    assert address().startswith("unix:/tmp/lodescan-") and len(address()) < LONGEST_PATH
