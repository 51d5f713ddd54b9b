"""The results of a run: tables, manifest, copies, status while it runs, and the message at its end."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from proposer.__main__ import main
from scanspec import losses_and_nll, read_scan_file
from scanspec.keys import RESERVED_COLUMNS
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, read_run, torch_as_before
from tests.pair.processes import ROOT, ProposerProcess, quickly

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]
Row = dict[str, str]

MIXED = """
if x < 0.1: raise InvalidPoint("unphysical here")
if x < 0.2: raise ValueError("a fault,\\nin two lines")
if x < 0.25: time.sleep(30)
if x < 0.35: return {"r": math.nan}
if x < 0.45: return {}
"""
"""Physics with answers of every status, with a NaN that the code returns, and with a missing observable."""


def rows(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run with points of every status, and the output of the scan."""
    folder = tmp_path_factory.mktemp("mixed")
    scan = ScanFolder(folder / "scan", {"timeout": 0.3, "iterations": 2}, MIXED)
    evaluator = EvaluatorProcess(scan.file, folder / "evaluator")
    run = folder / "run"
    command = ("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), torch_as_before():
        code = main(quickly(*command))
    evaluator.stop()
    assert code == 0, said.getvalue()
    return run, said.getvalue()


def test_the_table_of_good_points_is_exact(mixed: tuple[Path, str]) -> None:
    run, _ = mixed
    points = read_run(run)
    good = [position for position, nll in enumerate(points.nll) if nll < 2]
    table = rows(run / "good_points.csv")
    assert list(table[0]) == ["id", "iteration", "origin", "x", "y", "z", "r", "NLL"]
    assert [int(row["id"]) for row in table] == [points.ids[position] for position in good]
    for row, position in zip(table, good, strict=True):  # equal to the last digit
        assert tuple(float(row[name]) for name in "xyz") == points.params[position]
        assert float(row["r"]) == points.observables[position, 0]
        assert float(row["NLL"]) == points.nll[position]
        assert row["origin"] == points.origins[position]


def test_a_run_has_a_manifest_and_a_copy_of_the_scan_file(mixed: tuple[Path, str]) -> None:
    run, _ = mixed
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["seed"] == 1
    assert manifest["variables"] == ["x", "y", "z"]
    assert manifest["observables"] == ["r"]
    assert manifest["backend"] == "ball"
    assert manifest["threads"] >= 1
    assert len(manifest["sources"]["ball: file physics.py"]) == 64
    assert re.fullmatch("[0-9a-f]{64}", manifest["physics_digest"])
    assert re.fullmatch("[0-9a-f]{64}", manifest["likelihood_digest"])
    assert manifest["physics_digest"] != manifest["likelihood_digest"]
    assert {"lodescan", "python", "torch", "numpy", "imbalanced-learn"} <= set(manifest["versions"])
    assert "arXiv:2207.09959" in "".join(manifest["cite"])
    assert (run / "scan.yaml").read_bytes() == Path(manifest["scan_file"]).read_bytes()


def test_export_writes_all_points_as_csv(mixed: tuple[Path, str], lodescan: Lodescan) -> None:
    run, _ = mixed
    said = lodescan("export", run)
    assert (said.code, said.out) == (0, f"written: {run / 'points.csv'}\n")
    points, table = read_run(run), rows(run / "points.csv")
    assert set(table[0]) - {"x", "y", "z", "r"} == set(RESERVED_COLUMNS)
    assert [int(row["id"]) for row in table] == points.ids
    assert [row["status"] for row in table] == points.status
    assert set(points.status) == {"OK", "INVALID", "FAILED", "TIMED_OUT"}
    for row, params, nll in zip(table, points.params, points.nll, strict=True):
        assert tuple(float(row[name]) for name in "xyz") == params
        assert row["NLL"] == ("" if math.isnan(nll) else repr(nll))
        x = params[0]
        # A NaN that the code returned is not missing; an observable that it did not return is.
        assert row["missing"] == ("" if x >= 0.45 or 0.25 <= x < 0.35 else "r")
        assert (row["r"] == "") == (x < 0.45)
        assert (row["failed_code"] == "ball") == (x < 0.25 or 0.35 <= x < 0.45)
        if 0.1 <= x < 0.2:
            assert "a fault, in two lines" in row["message"]
        assert float(row["seconds"]) >= 0
        if 0.25 <= x < 0.35:  # here the observable is NaN, which has the largest loss
            assert row["status"] == "OK"
            assert nll == pytest.approx(710.78, abs=0.01)


def test_export_without_pyarrow_says_what_to_install(mixed: tuple[Path, str], lodescan: Lodescan) -> None:
    run, _ = mixed
    said = lodescan("export", run, "--format", "parquet")
    assert (said.code, said.out) == (2, "")
    assert "'.[parquet]'" in said.err
    assert not list(run.glob("points.parquet*"))


@pytest.mark.slow
def test_export_writes_all_points_as_parquet(
    mixed: tuple[Path, str], lodescan: Lodescan, tmp_path: Path, with_pyarrow: dict[str, str]
) -> None:
    run, _ = mixed
    read = "import pandas, sys; pandas.read_parquet(sys.argv[1]).to_csv(sys.argv[2], index=False)"
    exported, table = run / "points.parquet", tmp_path / "again.csv"
    commands = [["-m", "proposer", "export", str(run), "--format", "parquet"], ["-c", read, str(exported), str(table)]]
    for command in commands:
        subprocess.run([sys.executable, *command], cwd=ROOT, env=with_pyarrow, check=True)
    assert lodescan("export", run).code == 0
    assert table.read_text() == (run / "points.csv").read_text()
    exported.unlink()


def test_commands_refuse_a_folder_without_a_run(lodescan: Lodescan, tmp_path: Path) -> None:
    for command in ("status", "export"):
        said = lodescan(command, tmp_path / "none")
        assert said.code == 2
        assert "not the folder of a run" in said.err
    assert not (tmp_path / "none").exists()


def test_the_message_at_the_end_counts_points_and_names_files(mixed: tuple[Path, str], lodescan: Lodescan) -> None:
    run, said = mixed
    points = read_run(run)
    counts = {status: points.status.count(status) for status in ("INVALID", "FAILED", "TIMED_OUT")}
    good = sum(nll < 2 for nll in points.nll)
    numbers = (
        f"{counts['INVALID']} invalid, {counts['FAILED']} failed, {counts['TIMED_OUT']} timed out; "
        f"lowest NLL {np.nanmin(points.nll):.6g}"
    )
    stopped, evaluated, good_file, all_file = said.splitlines()[-4:]
    assert stopped == "stopped: all 2 iterations are done (Iterations)"
    assert re.fullmatch(
        rf"{len(points.ids)} points evaluated in .+: {good} good \(NLL below 2\), {re.escape(numbers)}", evaluated
    )
    assert good_file == f"good points: {run / 'good_points.csv'}"
    assert str(run / "dataset.sqlite") in all_file
    status = lodescan("status", run).out
    assert f"{good} of 100,000 good points" in status
    assert f"evaluated: {len(points.ids)} (" in status
    assert "stopped: all 2 iterations" in status
    assert re.search(r"^ball: \S+ s a point, [\d,]+ runs, .+ \(100 %\)$", status, re.MULTILINE)


@pytest.mark.slow
def test_status_shows_a_scan_that_is_running(
    make_scan: MakeScan,
    start_evaluator: StartEvaluator,
    start_proposer: Callable[..., ProposerProcess],
    lodescan: Lodescan,
    tmp_path: Path,
) -> None:
    scan, run = make_scan(body="time.sleep(0.05)"), tmp_path / "run"
    proposer = start_proposer("scan", scan.file, "--evaluator", start_evaluator(scan.file).address, "--run", run)
    assert proposer.wait_for("| ")
    said = lodescan("status", run)
    assert said.code == 0
    assert "\nrunning\n" in said.out and json.loads(lodescan("status", run, "--json").out)["running"]
    assert re.search(r"evaluated: [1-9]\d* \(.*\); [1-9]\d* requested points have no answer yet", said.out)
    assert lodescan("export", run).code == 0
    assert 0 < len(rows(run / "points.csv")) <= len(read_run(run).ids)
    assert proposer.process.poll() is None


def test_progress_is_plain_lines_outside_of_a_terminal(mixed: tuple[Path, str]) -> None:
    lines = [line for line in mixed[1].splitlines() if " | " in line]
    assert re.fullmatch(
        r"[\d,]+ of 100,000 good \| hit rate \S+ % \| start \d+ of 60, no estimate before that \| bootstrap \| "
        r"(lowest NLL .* \| )?[\d,]+ evaluated \(.*\) \| \S+ points/s",
        lines[0],
    )
    assert "\x1b" not in mixed[1]


SCORES = """
      up: {scaling: UPPER, mean: 0.5, sigma: 0.01}
      lo: {scaling: LOWER, mean: 0.5, sigma: 0.01}
      lg: {scaling: LOG, mean: 0, sigma: 0.001}
      bi: {scaling: BIAS, mean: 2, sigma: 3}
      us: {scaling: USER}
      su: {scaling: SIGUSER}
      eu: {scaling: EXPUSER}
      mu: {scaling: MINUSEXPUSER}
      cf: {scaling: CFUNCTION, lower_bound: 0.2, upper_bound: 0.4, log_scaling: true}
      rg: {scaling: GAUSS, range: [1, 3]}
      off: {}"""


def test_proposer_and_evaluator_compute_the_same_losses(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    body = """
    names = ["r", "up", "lo", "lg", "bi", "us", "su", "eu", "mu", "cf", "rg", "off"]
    rng = __import__("random").Random(x)
    return {name: rng.choice([1, 1e3, 1e300, math.inf, -1, 1e-9]) * rng.random() for name in names}
    """
    scan = make_scan(body=body, observables=SCORES, iterations=1)
    evaluator = start_evaluator(scan.file)
    assert lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run").code == 0
    points = read_run(tmp_path / "run", 12)
    assert set(points.status) == {"OK"}
    likelihoods = [observable.likelihood for observable in read_scan_file(scan.file).all_observables()]
    for array in (points.observables, torch.from_numpy(points.observables)):
        losses, nll = losses_and_nll(likelihoods, array)
        np.testing.assert_allclose(np.asarray(losses), points.losses, rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(np.asarray(nll), points.nll, rtol=1e-12, atol=1e-9)
    assert len(set(points.nll)) == len(points.nll)
