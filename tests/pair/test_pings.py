"""A point that takes long: the proposer must not ping more often than the evaluator allows."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from proposer.evaluation.work import Work
from proposer.types import Pending
from proposer.wire import remote
from proposer.wire.pool import Pool
from tests.pair.conftest import EvaluatorProcess, ScanFolder, read_run
from tests.pair.processes import ROOT, ProposerProcess

MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]

SILENT = 6.5
"""Seconds that the point takes. A server that does not allow a ping each second ends the connection after five seconds.
"""

DEFAULT = 300.0
"""Seconds between two pings that a gRPC server allows by default."""


@pytest.mark.slow
def test_pings_are_as_the_evaluator_allows_them(
    make_scan: MakeScan, start_evaluator: StartEvaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides have their settings, thirty times faster. A server with gRPC's default breaks off the connection in
    the same time.
    """
    scan = make_scan(body=f"time.sleep({SILENT})")
    python = str(ROOT / ".envs/evaluator/bin/python")
    ask = "from evaluator.service.server import SHORTEST_PING; print(SHORTEST_PING)"
    allowed = float(subprocess.run([python, "-c", ask], cwd=ROOT, capture_output=True, check=True).stdout)
    assert allowed < DEFAULT

    servers = [
        start_evaluator(
            scan.file,
            workers=1,
            before=f"from evaluator.service import server; server.SHORTEST_PING = {interval}",
        )
        for interval in (allowed / remote.KEEPALIVE, DEFAULT)
    ]
    monkeypatch.setattr(remote, "KEEPALIVE", 1.0)

    def lost(server: EvaluatorProcess) -> bool:
        said: list[str] = []
        client = Pool([server.address], say=said.append)
        client.describe(20.0)
        work = Work(["x", "y", "z"])
        work.add(Pending(np.arange(1), np.array([[0.5, 0.5, 20.0]]), np.zeros(1, dtype=np.int64)), most=1)
        try:
            for received in client.evaluate(work, wait=20.0, until=time.monotonic() + 60.0):
                if received.outcomes or said:
                    break
        finally:
            client.close()
        return bool(said)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lost, servers)) == [False, True]


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_point_that_takes_ten_minutes_is_answered(
    make_scan: MakeScan, start_evaluator: StartEvaluator, start_proposer: Callable[..., ProposerProcess], tmp_path: Path
) -> None:
    scan = make_scan(body="time.sleep(600)", setup="  seed: 1\n  max_evaluations: 1", bootstrap=1, timeout=660)
    evaluator = start_evaluator(scan.file, workers=1)
    proposer = start_proposer("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    assert proposer.wait(720) == 5, proposer.said  # it is answered, and not good
    assert read_run(tmp_path / "run").status == ["OK"]
    assert len(scan.evaluated()) == 1
    assert "lost the evaluator" not in proposer.said
    assert "no answer from the evaluator" in proposer.said and "waiting for point 1\n" in proposer.said
    assert "stopped: 1 points evaluated (max_evaluations)" in proposer.said
