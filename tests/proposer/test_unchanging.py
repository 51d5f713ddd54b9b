"""The warning of a scan whose NLL is the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import proposer


def scan_of(code: Callable[[Mapping[str, float]], Mapping[str, float] | None], folder: Path) -> None:
    problem = proposer.Problem(
        variables={"x": (-3, 3), "y": (-3, 3)},
        observables={"r": (2.0, 0.1), "s": None},
        code=code,
        threshold=2.0,
        setup={"type": "RANDOM", "max_evaluations": 120},
    )
    proposer.scan(problem, folder=folder, seed=1, workers=1, quiet=True, report=False)


def of_nothing(point: Mapping[str, float]) -> Mapping[str, float]:
    return {"r": 5.0, "s": 1.0}


def far_off(point: Mapping[str, float]) -> Mapping[str, float]:
    return {"r": 1e6 + point["x"], "s": 1.0}


def of_x(point: Mapping[str, float]) -> Mapping[str, float] | None:
    return None if point["y"] > 2 else {"r": point["x"], "s": 1.0}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (of_nothing, "because no observable changes with x, y. Check that the template or the function uses"),
        (far_off, "although observables change: r (from 999997 to 1e+06). Check the mean and sigma of each observable"),
    ],
)
def test_an_nll_that_never_changes_is_told_once_during_the_scan(
    code: Callable[[Mapping[str, float]], Mapping[str, float]],
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scan_of(code, tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("WARNING: the NLL is ") and "at all of the first 50 points that have one, " + why in line


def test_an_nll_that_changes_is_not_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan_of(of_x, tmp_path)
    assert capsys.readouterr().err == ""
