"""Scans of real physics codes, which take minutes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from proposer.run.dataset import Dataset
from scanspec import ScanFile, losses_and_nll, read_scan_file
from tests.pair.conftest import EvaluatorProcess, Points, read_run
from tests.pair.processes import ROOT, MakeScanProcess, ProposerProcess

StartEvaluator = Callable[..., EvaluatorProcess]
StartProposer = Callable[..., ProposerProcess]
StartMakeScan = Callable[..., MakeScanProcess]

pytestmark = pytest.mark.slow


def example(name: str, folder: Path, budget: int) -> Path:
    """A copy of an example, in YAML or in BSMArt's JSON, with the files beside it and a small budget."""
    given = ROOT / name
    for file in [*(ROOT / "examples").iterdir(), *given.parent.iterdir()]:
        if file.suffix in (".py", ".slha"):
            shutil.copy(file, folder)
    copy = folder / given.name
    text = given.read_text()
    if given.suffix == ".json":
        changed = text.replace('"Setup": {', f'"Setup": {{"Max_Evaluations": {budget}, ', 1)
    else:
        changed = text.replace("setup:\n", f"setup:\n  max_evaluations: {budget}\n", 1)
    assert changed != text
    copy.write_text(changed)
    return copy


REAL = [
    ("examples/camb_w0wa.yaml", "camb", 560),
    ("examples/toy3d.yaml", "evaluator", 560),
    ("tests/data/simsusy_stau.json", "simsusy", 150),
    ("tests/data/camb_w0wa.json", "camb", 250),
    ("tests/data/toy3d.json", "evaluator", 560),
    ("examples/hazma_darkphoton.yaml", "hazma", 140),
    ("examples/flavio_s3.yaml", "flavio", 50),
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "environment", "budget"), REAL, ids=[case[0] for case in REAL])
def test_every_example_scans_its_real_code(
    name: str,
    environment: str,
    budget: int,
    start_evaluator: StartEvaluator,
    start_proposer: StartProposer,
    tmp_path: Path,
) -> None:
    file, run = example(name, tmp_path, budget), tmp_path / "run"
    spec = read_scan_file(file)
    observables = spec.all_observables()
    assert bool(spec.ignored) == name.endswith(".json")
    evaluator = start_evaluator(file, environment=environment)
    command = ("scan", file, "--evaluator", evaluator.address, "--run", run, "--seed", "1")  # BSMArt's have none
    proposer = start_proposer(*command)
    assert proposer.wait_for("good: NLL below"), proposer.said
    proposer.runs_until(lambda: len(read_run(run, len(observables)).ids) >= min(50, budget // 2))
    proposer.process.terminate()  # in the middle
    assert proposer.wait() == 143
    proposer = start_proposer(*command)
    code = proposer.wait(600)
    assert f"stopped: {budget} points evaluated (max_evaluations)" in proposer.said
    notes = [line for line in proposer.said.splitlines() if line.startswith("note: without meaning here: ")]
    assert notes == [f"note: without meaning here: {', '.join(spec.ignored)}"] * name.endswith(".json")
    points = check_points(run, spec)
    good = any(nll < spec.networks.number("threshold_value") for nll in points.nll)
    assert code == (0 if good else 5), proposer.said
    assert len(points.ids) == budget
    if environment == "simsusy":
        assert 0.2 < points.status.count("INVALID") / budget < 0.8


def check_points(run: Path, spec: ScanFile) -> Points:
    """Checks what must hold of every point of a run, and that some are good."""
    observables = spec.all_observables()
    points = read_run(run, len(observables))
    assert len(points.ids) == len(set(points.ids)) == len(set(points.params))
    assert {"OK"} <= set(points.status) <= {"OK", "INVALID"}
    low, high = np.array([[variable.low, variable.high] for variable in spec.variables]).T
    assert ((low <= points.params) & (points.params <= high)).all()
    ok = [status == "OK" for status in points.status]
    losses, nll = losses_and_nll([observable.likelihood for observable in observables], points.observables[ok])
    np.testing.assert_allclose(nll, np.array(points.nll)[ok], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(losses, points.losses[ok], rtol=1e-12, atol=1e-9)
    assert np.isnan(np.array(points.nll)[~np.array(ok)]).all()
    good = sum(value < spec.networks.number("threshold_value") for value in points.nll)
    assert len((run / "good_points.csv").read_text().splitlines()) == 1 + good
    assert (
        good > 0 or spec.run_name == "hazma_darkphoton"
    )  # only 0.1 % of the space is good, so the scan may find nothing
    return points


@pytest.mark.timeout(900)
def test_the_scan_of_the_readme_spends_most_of_its_time_in_the_physics(
    start_make_scan: StartMakeScan, tmp_path: Path
) -> None:
    budget, run = 220, tmp_path / "run"
    file = example("examples/simsusy_stau.yaml", tmp_path, budget)
    # The start is short, so that its share of this short scan is that of the long one.
    text = file.read_text()
    for old, new in {"bootstrap_points: 500": "bootstrap_points: 140", "iteration: 200": "iteration: 40"}.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    file.write_text(text)
    scan = start_make_scan(file, run)
    assert scan.wait(800) == 0, scan.said
    points = check_points(run, read_scan_file(file))
    assert len(points.ids) == budget
    assert 0.2 < points.status.count("INVALID") / budget < 0.8
    with Dataset(run, read_only=True) as dataset:
        physics = sum(float(seconds.sum()) for _, seconds in dataset.seconds())
        wall = float(dataset.meta()["seconds"])
    assert physics / 2 > 0.5 * wall, f"{physics:.0f} s of physics by two workers in {wall:.0f} s"
