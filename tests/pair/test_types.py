"""Every type of scan, with variables of every kind, with both sides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proposer.ending import NONE_GOOD
from proposer.strategies.choice import TYPES
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, read_run

THRESHOLD = 2.0  # the threshold of every ScanFolder
KINDS = {
    "x: {range: [0, 1]}": "x: {range: [0, 1], periodic: true, steps: 7}",
    "y: {range: [-2, 2]}": "y: {range: [-2, 2], type: integer}",
    "z: {range: [10, 1000], prior: log-uniform}": "z: {values: [100, 10, 300]}",
}
SETUP = "  seed: 1\n  type: {}\n  max_evaluations: {}"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory):
    """A scan folder with variables of every kind, and its evaluator."""
    folder = tmp_path_factory.mktemp("types")
    scan = ScanFolder(folder / "scan")
    write(scan, "MLS_DNNC", 1)
    evaluator = EvaluatorProcess(scan.file, folder / "evaluator")
    yield scan, evaluator
    evaluator.stop()


def write(scan: ScanFolder, name: str, most: int) -> None:
    scan.write(setup=SETUP.format(name, most), bootstrap=30, batch=20)
    for old, new in KINDS.items():
        scan.replace(old, new)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in {"SOBOL", "GRID"} else [])
        for name in sorted(TYPES.keys() - {"READ_CSV"})  # it chooses no points; see test_read_csv.py
    ],
)
def test_an_interrupted_scan_is_the_uninterrupted_one_and_no_point_runs_twice(
    pair: tuple[ScanFolder, EvaluatorProcess], lodescan: Callable[..., Said], tmp_path: Path, name: str
) -> None:
    scan, evaluator = pair
    for folder, pieces in (("whole", [70]), ("cut", [9, 45, 70])):
        begun = len(scan.evaluated())
        for most in pieces:
            write(scan, name, most)
            said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / folder)
            any_good = min(read_run(tmp_path / folder).nll) < THRESHOLD
            assert said.code == (0 if any_good else NONE_GOOD), said.err
            assert f"{most} points evaluated (max_evaluations)" in said.out + said.err
        points = scan.evaluated()[begun:]
        assert len(points) == len(set(points)) == 70
        for x, y, z in points:
            assert 0 <= x < 1
            assert y in (-2, -1, 0, 1, 2)
            assert z in (10, 100, 300)
    whole = read_run(tmp_path / "whole")
    assert set(whole.status) == {"OK"}
    assert whole.history() == read_run(tmp_path / "cut").history()
