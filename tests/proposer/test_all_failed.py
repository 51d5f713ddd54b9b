"""A scan whose every point fails ends by itself, and goes on with the same call."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

import proposer
from proposer.run.dataset import Dataset
from proposer.show import tally


def problem(folder: Path, kind: str) -> proposer.Problem:
    """Its code fails until the file `licence` is there."""

    def radius(point):
        if not (folder / "licence").exists():
            time.sleep(0.005)  # so that few points run at once
            raise FileNotFoundError("no licence")
        return {"radius": abs(point["x"])}

    setup = {"type": kind}
    observables = {"radius": (2.0, 0.3)}
    variables = {"x": (-3, 3), "y": (-3, 3)}
    return proposer.Problem(
        variables=variables, observables=observables, code=radius, threshold=2.0, points=20, setup=setup
    )


def scan(what: proposer.Problem, folder: Path) -> None:
    proposer.scan(what, folder=folder, seed=1, workers=2, quiet=False, report=False)


@pytest.mark.parametrize("kind", ["RANDOM", pytest.param("LODE", marks=pytest.mark.slow)])
def test_a_scan_whose_every_point_fails_stops_and_goes_on_with_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    monkeypatch.setattr(tally, "MOST_FAILED", 60)
    run = tmp_path / "run"
    what = problem(tmp_path, kind)
    scan(what, run)
    shown = capsys.readouterr()
    assert "points failed or timed out" in shown.err and "no licence" in shown.err
    assert "the same command then goes on" in shown.err
    first = numbers(run)
    assert set(first) == {"FAILED"} and 60 <= first["FAILED"] < 600
    scan(what, run)  # still without the file: as many points again, and no end without a stop
    second = numbers(run)
    assert set(second) == {"FAILED"} and second["FAILED"] >= first["FAILED"] + 60
    (tmp_path / "licence").touch()
    scan(what, run)
    with Dataset(run, read_only=True) as dataset:
        assert dataset.meta()["stopped"] == "20 good points found (points: 20)"


def numbers(run: Path) -> Counter[str]:
    """The answered points of a run by status."""
    return Counter(map(str, proposer.open_run(run).points().status))
