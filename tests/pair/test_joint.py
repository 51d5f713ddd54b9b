"""Joint likelihoods with both sides: the dataset, the report, and an edited table."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from proposer.run.dataset import Dataset
from scanspec import read_scan_file
from scanspec.terms import work_out
from tests.pair.conftest import EvaluatorProcess, Said, environment

Lodescan = Callable[..., Said]

SCAN = """\
setup: {run_name: joint, seed: 1, type: RANDOM, max_evaluations: 40, points: 1000}
variables:
  a: {range: [0, 1]}
  b: {range: [0, 1]}
codes:
  toy:
    function: toy:observables
    observables: {x: , y: , z: }
likelihoods:
  both: {observables: [x, y], mean: [0.4, 0.5], covariance: c.txt}
  limit: {observables: [x, z], limit: curves/l.csv}
  mass: {observables: z, mean: 0.5, sigma: {plus: 0.3, minus: 0.1}, scaling: BARLOW}
networks: {threshold_value: 6}
"""
TOY = 'def observables(point):\n    return {"x": point["a"], "y": point["a"] * point["b"], "z": point["b"]}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "scan"
    (made / "curves").mkdir(parents=True)
    (made / "scan.yaml").write_text(SCAN)
    (made / "toy.py").write_text(TOY)
    (made / "c.txt").write_text("0.04 0.01\n0.01 0.02\n")
    (made / "curves" / "l.csv").write_text("0.2, 0.4\n0.9, 0.8\n")
    return made


@pytest.fixture
def run(folder: Path, start_evaluator: Callable[..., EvaluatorProcess], lodescan: Lodescan, tmp_path: Path) -> Path:
    evaluator, into = start_evaluator(folder / "scan.yaml"), tmp_path / "run"
    said = lodescan("scan", folder / "scan.yaml", "--evaluator", evaluator.address, "--run", into, "--quiet")
    assert said.code in (0, 5), said.err
    evaluator.stop()
    return into


def stored(run: Path) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Names, observables, losses and NLLs of a run."""
    with Dataset(run, read_only=True) as dataset:
        names = [observable.name for observable in dataset.columns.observables]
        (part,) = dataset.results()
    return names, part.observables, part.losses, part.nll


def test_each_term_has_a_value_and_a_loss_and_the_losses_add_up(run: Path, folder: Path, lodescan: Lodescan) -> None:
    names, values, losses, nll = stored(run)
    assert names == ["x", "y", "z", "both", "limit", "mass"] and len(nll) == 40
    covariance = np.array([[0.04, 0.01], [0.01, 0.02]])
    off = values[:, :2] - [0.4, 0.5]
    np.testing.assert_allclose(values[:, 3], (off @ np.linalg.inv(covariance) * off).sum(axis=1) / 2, rtol=1e-9)
    bound = 0.4 * (values[:, 0] / 0.2) ** (math.log(2.0) / math.log(4.5))
    inside = (values[:, 0] >= 0.2) & (values[:, 0] <= 0.9)
    expected = np.where(inside, (1.6448536 * values[:, 2] / bound) ** 2 / 2, 0.0)
    np.testing.assert_allclose(values[:, 4], expected, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(losses[:, 3:], -710.7827 * np.expm1(-values[:, 3:] / 710.7827), rtol=1e-6)
    assert (losses[:, :3] == 0.0).all()
    np.testing.assert_allclose(losses.sum(axis=1), nll)

    copies = run / "likelihoods"
    assert (copies / "c.txt").read_text() == (folder / "c.txt").read_text() and (copies / "curves" / "l.csv").is_file()
    (folder / "c.txt").unlink()  # the run needs no tables
    (folder / "curves" / "l.csv").unlink()
    assert lodescan("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "pull given the others" in page and "JOINT_GAUSS of x, y" in page
    assert "BARLOW of z: 0.5 +0.3 -0.1" in page
    assert "both" in (run / "good_points.csv").read_text().splitlines()[0]
    assert lodescan("export", run).code == 0


@pytest.mark.slow
def test_an_edited_table_is_another_likelihood(
    run: Path, folder: Path, start_evaluator: Callable[..., EvaluatorProcess], lodescan: Lodescan, tmp_path: Path
) -> None:
    names, values, _, _ = stored(run)
    scan = folder / "scan.yaml"
    (folder / "curves" / "l.csv").write_text("0.2, 0.3\n0.9, 0.8\n")
    evaluator = start_evaluator(scan)
    said = lodescan("scan", scan, "--evaluator", evaluator.address, "--run", run, "--quiet")
    assert said.code == 2 and "observables: limit: numbers" in said.err

    into = tmp_path / "rescored"
    said = lodescan("rescore", run, "--scan", scan, "--run", into)
    assert said.code == 0, said.err
    specs = read_scan_file(scan).all_observables()
    expected = work_out(names, [spec.term for spec in specs], values)
    found = stored(into)
    np.testing.assert_allclose(found[1], expected)
    assert (found[1][:, 4] != values[:, 4]).any() and (found[1][:, 3] == values[:, 3]).all()

    # a scan file with the old table does not fit this evaluator
    (folder / "curves" / "l.csv").write_text("0.2, 0.4\n0.9, 0.8\n")
    said = lodescan("check", scan, "--evaluator", evaluator.address)
    assert said.code != 0 and "the likelihood 'limit' has other numbers at the evaluator" in said.err

    # a table of points that the run wrote is scored again with a scan file that has one more term
    scan.write_text(scan.read_text().replace("init_csv", "").replace("seed: 1,", "seed: 1, init_csv: points.csv,"))
    scan.write_text(
        scan.read_text().replace(
            "networks:", "  more: {observables: y, mean: 0, sigma: 1, scaling: GAUSS_UPPER}\nnetworks:"
        )
    )
    assert lodescan("export", run).code == 0
    (folder / "points.csv").write_text((run / "points.csv").read_text())
    said = lodescan("check", scan)
    assert "the NLLs of 40 points are computed anew from the table's observables" in said.out
    evaluator.stop()


def test_check_and_point_say_which_terms_are_functions_of_an_observable(
    folder: Path, lodescan: Lodescan, run: Path
) -> None:
    scan = folder / "scan.yaml"
    assert {"  x: in both, limit", "  y: in both", "  z: in limit, mass"} <= set(
        lodescan("check", scan).out.splitlines()
    )
    scan.write_text(SCAN.replace("y: ", "y: {mean: 1, sigma: 2}"))
    assert "  y: GAUSS 1 +- 2, in both" in lodescan("check", scan).out.splitlines()
    shown = [line for line in lodescan("point", run, 1).out.splitlines() if line.startswith(("  x:", "  mass:"))]
    assert "(no likelihood of its own)" in shown[0] and "(BARLOW of z: 0.5 +0.3 -0.1, loss" in shown[1]


@pytest.mark.slow
def test_the_evaluator_checks_and_lode_finds_the_region(
    folder: Path, start_evaluator: Callable[..., EvaluatorProcess], lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = folder / "scan.yaml"
    scan.write_text(SCAN.replace("type: RANDOM, max_evaluations: 40, points: 1000", "points: 40").replace("6}", "4}"))
    evaluator = start_evaluator(scan)
    said = lodescan("check", scan, "--evaluator", evaluator.address)
    assert said.code == 0 and "the scan file and the evaluator agree" in said.out
    assert "both: JOINT_GAUSS of x, y: 0.4 +- 0.2, 0.5 +- 0.141421356237" in said.out
    with environment(OMP_NUM_THREADS="1"):
        said = lodescan("scan", scan, "--evaluator", evaluator.address, "--run", tmp_path / "lode")
    assert said.code == 0, said.err
    assert "NLL alone" not in said.err
    evaluator.stop()
