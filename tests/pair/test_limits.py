"""`max_hours` holds during a training, while points run, and with an evaluator that does not answer."""

from __future__ import annotations

import itertools
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from proposer.commands.run import socket_folder
from proposer.wire import patience
from scanspec.addresses import LONGEST_PATH
from tests.evaluator.harness import TAG
from tests.evaluator.serving import wait_until
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, meta, read_run
from tests.pair.processes import tagged
from tests.pair.test_observing import of, scrape
from tests.ports import free_port

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


HANGS = """\
#!/bin/sh
# Hangs with three processes, of which two have left its group, until there is a file `go`.
cd "$(dirname "$0")"
[ -e go ] || { touch begun; sleep 1000 & setsid sleep 1000 & setsid sleep 1000; }
cd - >/dev/null
printf 'Block MASS\\n 25 1.25E+02\\n' >"$2"
"""
SCAN = """\
setup: {run_name: hangs, type: RANDOM, seed: 1, points: 6, max_hours: HOURS}
variables: {x: {range: [0, 1]}}
codes:
  hangs:
    command: ./hangs.sh {input} {output}
    input_file: in.slha
    timeout: 600
    observables: {mh: {slha: [MASS, 25], mean: 125, sigma: 2}}
"""


@pytest.mark.slow
def test_max_hours_leaves_no_worker_busy_and_no_process(
    lodescan: Lodescan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programs of points that are given up are ended with all their processes. Their workers are free again."""
    monkeypatch.setattr(patience, "GRACE", 0.2)
    (tmp_path / "hangs.sh").write_text(HANGS)
    (tmp_path / "hangs.sh").chmod(0o755)
    (tmp_path / "in.slha").write_text("Block MINPAR\n 1 x\n")
    file, run, tag, port = tmp_path / "scan.yaml", tmp_path / "run", uuid.uuid4().hex, free_port()
    file.write_text(SCAN.replace("HOURS", "1"))
    before = f"import os, sys; os.environ[{TAG!r}] = {tag!r}; sys.argv += ['--metrics', '{port}']"
    evaluator = EvaluatorProcess(file, tmp_path / "evaluator", before=before)
    try:
        for seconds in itertools.count(2):  # a busy machine may need more than two seconds to begin a point
            hours = ((meta(run)["seconds"] if run.exists() else 0.0) + seconds) / 3600
            file.write_text(SCAN.replace("HOURS", repr(hours)))
            said = lodescan("scan", file, "--evaluator", evaluator.address, "--run", run)
            assert f"stopped: {hours:g} hours are over (max_hours)" in said.err
            if (tmp_path / "begun").exists():
                break
        assert "no longer waited for, and sent again if the run goes on" in said.err
        assert wait_until(lambda: not tagged(tag, "sleep"))
        busy = "lodescan_evaluator_workers_busy"
        assert wait_until(lambda: of(scrape(port), busy) == 0)
        (tmp_path / "go").touch()
        file.write_text(SCAN.replace("HOURS", "1"))
        assert lodescan("scan", file, "--evaluator", evaluator.address, "--run", run).code == 0
        assert set(read_run(run).status) == {"OK"}
    finally:
        evaluator.stop()


def test_the_pair_s_socket_has_a_short_name_that_nobody_can_guess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def address() -> str:
        return f"unix:{socket_folder()}/wire"

    assert address().startswith(f"unix:{tempfile.gettempdir()}/lodescan-") and address() != address()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 30)))
    assert address().startswith("unix:/tmp/lodescan-") and len(address()) < LONGEST_PATH
