"""Types in BSMArt's spelling with both sides: when a scan ends, and its messages."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pair.conftest import EvaluatorProcess, Said, read_run

TOYS = {
    "toy_targets": {
        "Run": "True",
        "Observables": {"H": {"FUNCTION": "Himmelblau", "SCALING": "CFUNCTION", "RANGE": [-1, 0.5]}},
    }
}
ENDS: dict[str, tuple[dict[str, object], int | None, str]] = {
    # files for Grid have no Points: the whole grid is evaluated, even if more than a thousand points are good
    "Grid": ({}, 1050, "points found"),
    "CMAES": ({"CMAESPopulationSize": "8", "Points": 100}, 100, "100 points evaluated"),
    "CMAES, generations": (
        {"CMAESPopulationSize": 8, "CMAESMaxGenerations": 5, "CMAESEpisodes": 2, "Points": 1000},
        80,
        "all 2 searches have ended",
    ),
    "CMAES_ND": (
        {"CMAESPopulationSize": 8, "CMAESMaxGenerations": 4, "CMAESNoveltyDetection": "True"},
        32,
        "4 generations are over",
    ),
    "CMAES_ND, good": ({"CMAESPopulationSize": 12, "CMAESGoodPointsEarlyStop": 40}, None, "(points: 40)"),
}


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory):
    """An evaluator of BSMArt's toys."""
    folder = tmp_path_factory.mktemp("toys")
    write(folder / "toys.json", {"Type": "Random", "Points": 1})
    evaluator = EvaluatorProcess(folder / "toys.json", folder / "evaluator")
    yield evaluator
    evaluator.stop()


def write(path: Path, setup: dict[str, object], *, grid: bool = False) -> None:
    spread = "np.linspace(-5, 5, {})" if grid else ""
    variables = {name: spread.format(steps) if grid else {"RANGE": [-5, 5]} for name, steps in (("x", 35), ("y", 30))}
    content = {"Setup": {"RunName": "r", **setup}, "Variables": variables, "Codes": TOYS}
    path.write_text(json.dumps(content | {"Networks": {"Threshold_Value": 1e9 if grid else 1e-9}}))


@pytest.mark.parametrize("case", ENDS)
def test_a_scan_in_bsmarts_spelling_ends_as_in_bsmart(
    toys: EvaluatorProcess, lodescan: Callable[..., Said], tmp_path: Path, case: str
) -> None:
    setup, evaluations, words = ENDS[case]
    write(tmp_path / "scan.json", {"Type": case.partition(",")[0], **setup}, grid=case == "Grid")
    said = lodescan("scan", tmp_path / "scan.json", "--evaluator", toys.address, "--run", tmp_path / "run", "--seed", 1)
    assert words in said.out + said.err
    points = read_run(tmp_path / "run")
    good = any(nll < (1e9 if case == "Grid" else 1e-9) for nll in points.nll)
    assert said.code == (0 if good else 5), said.err
    assert len(points.ids) == evaluations or (evaluations is None and sum(nll == 0 for nll in points.nll) >= 40)
    again = lodescan("scan", tmp_path / "scan.json", "--evaluator", toys.address, "--run", tmp_path / "run")
    assert again.code == said.code and len(read_run(tmp_path / "run").ids) == len(points.ids)


def test_settings_of_another_type_are_named(lodescan: Callable[..., Said], tmp_path: Path) -> None:
    write(tmp_path / "scan.json", {"Type": "CMAES", "CMAESHBOSNBins": 30, "Points": 10})
    said = lodescan("check", tmp_path / "scan.json")
    assert "without meaning for CMAES: CMAESHBOSNBins" in said.out
    assert "points are evaluations, as for BSMArt's CMAES" in said.out and "population_size" not in said.out


def test_a_scan_without_a_likelihood_names_no_threshold(
    start_evaluator: Callable[..., EvaluatorProcess], lodescan: Callable[..., Said], tmp_path: Path
) -> None:
    """BSMArt's Random only stores spectra, so every valid point counts."""
    content = {
        "Setup": {"RunName": "r", "Type": "Random", "Points": 12},
        "Variables": {"x": {"RANGE": [-5, 5]}, "y": {"RANGE": [-5, 5]}},
        "Codes": {"toy_targets": {"Run": "True", "Observables": {"Himmelblau": {"VALID": [0, 100]}}}},
    }
    file, run = tmp_path / "keep.json", tmp_path / "run"
    file.write_text(json.dumps(content))
    evaluator = start_evaluator(file)
    checked = lodescan("check", file).out
    said = lodescan("scan", file, "--evaluator", evaluator.address, "--run", run, "--seed", 1)
    looked = lodescan("status", run).out
    assert said.code == 0, said.err
    for text in (checked, said.err, looked):
        assert "NLL below" not in text and "every valid point" in text, text
    points = read_run(run)
    valid = sum(not math.isnan(nll) for nll in points.nll)
    assert 0 < valid < 12 == len(points.ids)
    assert f"{valid} of 12 good points (every valid point" in looked and "more asked for" not in looked
