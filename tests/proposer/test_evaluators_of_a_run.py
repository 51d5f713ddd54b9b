"""`status` lists the evaluators of a run with their points, seconds a point, failures and idle share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proposer.commands.run import socket_folder
from proposer.commands.status import status
from proposer.show.evaluators import THIS_MACHINE
from proposer.types import Batch, Outcome, Status
from tests.proposer.datasets import open_dataset
from tests.proposer.stored_runs import META

A, B = "node1:50051", "node2:50051"


def answered(point: int, evaluator: str, status: Status = Status.OK) -> Outcome:
    """A point that was sent at 10 s, ran for 0.5 s, and came back at 11 s."""
    times: dict[str, Any] = {"sent": 10.0, "begun": 10.2, "returned": 11.0}
    ok: dict[str, Any] = (
        {"nll": 1.0, "observables": [1.0] * 3, "losses": [0.5] * 3} if status is Status.OK else {"failed_code": "c0"}
    )
    return Outcome(point, status, seconds=[0.2, 0.3], evaluator=evaluator, **times, **ok)


def run(folder: Path, outcomes: list[Outcome], **values: object) -> Path:
    u = np.linspace(0.1, 0.9, 2 * len(outcomes)).reshape(-1, 2)
    with open_dataset(folder) as dataset:
        dataset.add_batch(Batch(u, ["random"] * len(u), 0), u, b"")
        dataset.record(outcomes)
        dataset.set_meta({**META, **values})
    return folder


def test_each_evaluator_has_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [answered(point, A) for point in range(1, 7)]
    outcomes += [answered(7, B), answered(8, B, Status.FAILED), answered(9, B, Status.TIMED_OUT)]
    run(tmp_path, outcomes, evaluators={A: 2, B: 1}, worker_seconds={A: 4.0, B: 15.0}, raced=3)
    assert status(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    first = lines.index(f"evaluator {A}: 6 points, 0.5 s a point, 0 failed, 25 % idle")
    assert lines[first + 1] == f"evaluator {B}: 3 points, 0.5 s a point, 2 failed, 90 % idle"
    assert lines[first + 2] == "3 slow points were worked on by two evaluators"
    assert status(tmp_path, as_json=True) == 0
    said = json.loads(capsys.readouterr().out)
    shares = [(who["address"], who["points"], who["failed"], who["idle"]) for who in said["evaluators"]]
    assert shares == [(A, 6, 0, 0.25), (B, 3, 2, pytest.approx(0.9))] and said["raced"] == 3


def test_the_own_evaluators_of_several_commands_count_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each `lodescan run` makes a socket with a new name."""
    own = [f"unix:{socket_folder()}/wire" for _ in range(2)]
    outcomes = [answered(point, own[point % 2]) for point in range(1, 7)]
    run(tmp_path, outcomes, evaluators=dict.fromkeys(own, 2), worker_seconds={own[0]: 4.0, own[1]: 8.0}, raced=1)
    assert status(tmp_path, as_json=True) == 0
    (who,) = json.loads(capsys.readouterr().out)["evaluators"]
    assert (who["address"], who["points"], who["workers"], who["idle"]) == (THIS_MACHINE, 6, 2, 0.75)
    assert status(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not any(line.startswith("evaluator ") for line in lines)
    assert "1 slow point was worked on by two evaluators" in lines
