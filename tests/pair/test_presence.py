"""`status` shows the idle share of an evaluator: a share of the time in which it was connected."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluator.serving import wait_until
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, meta
from tests.pair.processes import ProposerProcess

SETUP = "  seed: 1\n  type: RANDOM\n  max_evaluations: {}"
BEFORE = "import time, evaluator.__main__; open({!r}, 'w').write(repr(time.monotonic()))"

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]


def work_of_one(lodescan: Lodescan, run: Path) -> dict[str, Any]:
    """What `status` says about the only evaluator, from which its idle share follows."""
    [who] = json.loads(lodescan("status", run, "--json").out)["evaluators"]
    assert who["idle"] == pytest.approx(1.0 - who["seconds"] / who["worker_seconds"])
    assert isinstance(who, dict)
    return who


def test_a_pause_between_two_commands_is_not_idle(
    make_scan: MakeScan, shared: tuple[ScanFolder, EvaluatorProcess], lodescan: Lodescan, tmp_path: Path
) -> None:
    scan, run = make_scan(setup=SETUP.format(20)), tmp_path / "run"
    command = ("scan", scan.file, "--evaluator", shared[1].address, "--run", run)
    assert lodescan(*command).code in (0, 5)
    first = work_of_one(lodescan, run)
    scan.replace("max_evaluations: 20", "max_evaluations: 40")
    assert lodescan(*command).code in (0, 5)
    both = work_of_one(lodescan, run)
    assert both["points"] == 40
    assert first["worker_seconds"] < both["worker_seconds"] <= both["workers"] * meta(run)["seconds"]


@pytest.mark.slow
def test_a_disconnected_evaluator_is_not_idle(
    make_scan: MakeScan,
    start_evaluator: Callable[..., EvaluatorProcess],
    start_proposer: Callable[..., ProposerProcess],
    lodescan: Lodescan,
    tmp_path: Path,
) -> None:
    """It is away at least from the message of the scan until its successor has imported its modules."""
    scan, run, back = make_scan(body="time.sleep(0.01)", setup=SETUP.format(100)), tmp_path / "run", tmp_path / "back"
    evaluator = start_evaluator(scan.file, before=BEFORE.format(str(back)))
    proposer = start_proposer("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
    assert wait_until(lambda: len(scan.evaluated()) >= 20 or proposer.process.poll() is not None)
    evaluator.kill()
    assert wait_until(lambda: "waiting for an evaluator" in proposer.said.partition("lost the evaluator")[2])
    gone = time.monotonic()
    evaluator.restart()
    assert proposer.wait() in (0, 5), proposer.said
    who, away = work_of_one(lodescan, run), float(back.read_text()) - gone
    assert who["points"] == 100 and away > 0.0
    assert 0.0 < who["worker_seconds"] <= who["workers"] * (meta(run)["seconds"] - away)
