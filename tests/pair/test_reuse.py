"""`lodescan compare`, `lodescan merge` and `lodescan rescore`: several runs of the same question."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, meta, read_run

Shared = tuple[ScanFolder, EvaluatorProcess]
Lodescan = Callable[..., Said]


@pytest.fixture
def two_runs(shared: Shared, lodescan: Lodescan, tmp_path: Path) -> tuple[Path, Path]:
    """Runs of twenty and thirty points; the first five points of the second run are the last five of the first."""
    runs: list[Path] = []
    for name, seed, points in (("a", 1, 20), ("b", 2, 30)):
        scan = ScanFolder(tmp_path / name, {"setup": f"  seed: {seed}\n  type: RANDOM\n  max_evaluations: {points}"})
        if runs:
            rows = (tmp_path / "run_a" / "points.csv").read_text().splitlines()
            table = "\n".join(",".join(row.split(",")[4:7]) for row in [rows[0], *rows[-5:]])
            (scan.folder / "start.csv").write_text(table + "\n")
            scan.replace("  seed: 2\n", "  seed: 2\n  init_csv: start.csv\n")
        runs.append(tmp_path / f"run_{name}")
        address = shared[1].address
        assert lodescan("scan", scan.file, "--evaluator", address, "--run", runs[-1], "--quiet").code in (0, 5)
        assert lodescan("export", runs[-1]).code == 0
    return runs[0], runs[1]


def test_two_runs_are_compared_and_merged(
    two_runs: tuple[Path, Path], shared: Shared, lodescan: Lodescan, tmp_path: Path
) -> None:
    first, second = map(read_run, two_runs)
    said = lodescan("compare", *two_runs)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith(f"{two_runs[0]}: ") and "; 20 evaluated" in lines[0] and "; 30 evaluated" in lines[1]
    both = lines.index("5 points are in both runs")
    assert lines[both + 1] == "  OK, OK: 5" and lines[both + 2].startswith("5 of them are OK in both: ")
    assert "  r: 1, 1, 1; 0" in lines and "  NLL: 1, 1, 1; 0" in lines
    found = json.loads(lodescan("compare", *two_runs, "--json").out)
    assert (found["both"], found["both_ok"], found["values"]["r"]["median"]) == (5, 5, 1.0)

    merged = tmp_path / "merged"
    said = lodescan("merge", *two_runs, "--run", merged)
    assert said.code == 0, said.err
    assert f"{merged}: 45 points of 2 runs" in said.err and "5 were in several runs" in said.err
    whole = read_run(merged)
    assert whole.ids == list(range(1, 46))
    results = dict(zip(first.params, first.nll, strict=True)) | dict(zip(second.params, second.nll, strict=True))
    assert dict(zip(whole.params, whole.nll, strict=True)) == results
    assert [source["seed"] for source in meta(merged)["merged_from"]] == [1, 2]
    good = sum(nll < 2 for nll in whole.nll)
    with (merged / "good_points.csv").open() as file:
        assert len(list(csv.DictReader(file))) == good
    status = lodescan("status", merged)
    assert status.code == 0 and "stopped: merged from 2 runs" in status.out and "evaluated: 45 (" in status.out

    assert f"{merged}: {good} good points (" in status.out  # it wants no number of points
    assert "; seeds 1, 2; " in status.out
    scan, address = tmp_path / "a" / "scan.yaml", shared[1].address
    refused = lodescan("scan", scan, "--run", merged, "--evaluator", address)
    assert refused.code == 2 and "has the points of several runs" in refused.err and "init_csv" in refused.err
    assert read_run(merged).history() == whole.history()

    again = lodescan("merge", *two_runs, "--run", merged)
    assert again.code == 2 and "already contains a run; name a new folder" in again.err


def test_runs_of_different_questions_are_refused(
    two_runs: tuple[Path, Path], shared: Shared, lodescan: Lodescan, tmp_path: Path
) -> None:
    other = ScanFolder(tmp_path / "c", {"setup": "  seed: 3\n  type: RANDOM\n  max_evaluations: 5"})
    other.replace("  threshold_value: 2\n", "  threshold_value: 3\n")
    run = tmp_path / "run_c"
    lodescan("scan", other.file, "--evaluator", shared[1].address, "--run", run, "--quiet")
    said = lodescan("merge", two_runs[0], run, "--run", tmp_path / "merged")
    assert said.code == 2 and "they differ in threshold_value" in said.err and not (tmp_path / "merged").exists()
    assert "change one run with `lodescan rescore`" in said.err
    assert lodescan("merge", run, "--run", tmp_path / "merged").code == 2
    assert lodescan("compare", run, tmp_path / "nowhere").code == 2


@pytest.mark.slow
def test_rescore_needs_no_evaluation_if_all_observables_are_known(
    start_evaluator: Callable[..., EvaluatorProcess], lodescan: Lodescan, tmp_path: Path
) -> None:
    old = ScanFolder(tmp_path / "old", {"setup": "  seed: 1\n  type: RANDOM\n  max_evaluations: 60"})
    old.physics("if z > 700: raise ValueError('a fault')")
    old.replace("mean: 0, sigma: 0.1}", "mean: 0, sigma: 0.1, valid: [0, 0.6]}")
    evaluator, run = start_evaluator(old.file), tmp_path / "run"
    assert lodescan("scan", old.file, "--evaluator", evaluator.address, "--run", run, "--quiet").code in (0, 5)
    evaluator.stop()
    before = read_run(run)
    assert set(before.status) == {"OK", "INVALID", "FAILED"}
    begun = len(old.evaluated())

    # another mean and threshold, a window that is extended below 0.6 and cut at its upper end, a shorter range
    text = old.file.read_text().replace(
        "mean: 0, sigma: 0.1, valid: [0, 0.6]", "mean: 0.5, sigma: 0.2, valid: [0.1, 9]"
    )
    text = text.replace("threshold_value: 2", "threshold_value: 4").replace(
        "x: {range: [0, 1]}", "x: {range: [0, 0.9]}"
    )
    new = old.folder / "new.yaml"
    new.write_text(text.replace("max_evaluations: 60", "max_evaluations: 20"))
    into = tmp_path / "new"
    said = lodescan("rescore", run, "--scan", new, "--run", into)
    assert said.code == 0, said.err
    after = read_run(into)
    assert len(old.evaluated()) == begun and set(after.origins) == {"init"}
    scored = dict(zip(after.params, zip(after.status, after.nll, strict=True), strict=True))
    for point, status, values in zip(before.params, before.status, before.observables.tolist(), strict=True):
        if point[0] > 0.9:
            assert point not in scored
        elif status == "FAILED":
            assert scored[point][0] == "FAILED"
        elif values[0] < 0.1:
            assert scored[point][0] == "INVALID"
        else:  # this includes points outside the old window, because all their observables are known
            now, nll = scored[point]
            assert now == "OK" and nll == pytest.approx((values[0] - 0.5) ** 2 / 2 / 0.04, rel=1e-3)
    good = sum(status == "OK" and nll < 4 for status, nll in scored.values())
    assert f"good points: {good} ({into / 'good_points.csv'})" in said.err
    assert said.err.splitlines()[-1] == f"to go on: lodescan scan {new} --run {into}"

    status = lodescan("status", into).out
    assert f"taken from {run}, without evaluating them again: {len(after.ids)} points" in status

    again = start_evaluator(new)
    done = lodescan("scan", new, "--run", into, "--evaluator", again.address)
    assert done.code == 0 and "20 points evaluated in" in done.err, done.err
    assert f"of them were scored again from {run})" in done.err and "init_csv" not in done.err
    assert len(old.evaluated()) == begun + 20 == begun + len(read_run(into).ids) - len(after.ids)
    assert meta(into)["rescored_from"] == str(run) and len(meta(into)["likelihood_digest"]) == 64


def test_a_run_that_cannot_be_rescored_is_refused(
    two_runs: tuple[Path, Path], lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = ScanFolder(tmp_path / "new", {"setup": "  seed: 1\n  type: RANDOM"})
    scan.replace("      r: {", "      other: {mean: 1, sigma: 1}\n      r: {")
    into = tmp_path / "into"
    said = lodescan("rescore", two_runs[0], "--scan", scan.file, "--run", into)
    assert said.code == 2 and "has not stored other; it has r; leave it out, or start a new scan" in said.err
    scan.replace("      other: {mean: 1, sigma: 1}\n", "")
    scan.replace("  x: {range: [0, 1]}", "  w: {range: [0, 1]}")
    said = lodescan("rescore", two_runs[0], "--scan", scan.file, "--run", into)
    assert said.code == 2 and "does not have the variables of" in said.err and not into.exists()
    said = lodescan("rescore", two_runs[0], "--scan", scan.file, "--run", two_runs[1])
    assert said.code == 2 and "already contains a run" in said.err


def test_check_says_whether_a_run_goes_on(
    shared: Shared, lodescan: Lodescan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scan = ScanFolder(tmp_path / "a", {"setup": "  type: RANDOM\n  seed: 1\n  max_evaluations: 20"})
    there = ("--evaluator", shared[1].address)
    assert "runs/ball" not in lodescan("check", scan.file, *there).out
    assert lodescan("scan", scan.file, *there, "--quiet").code in (0, 5)
    checked = lodescan("check", scan.file, *there)
    assert checked.code == 0
    (here, _) = checked.out.splitlines()[-1].split(", which is finished; ")
    assert here == "runs/ball holds 20 answered points of a run"
    assert "20 points evaluated in" in lodescan("scan", scan.file, *there).err, "no more than before"
    scan.replace("max_evaluations: 20", "max_evaluations: 40")
    assert lodescan("check", scan.file, *there).out.splitlines()[-1] == f"{here}, which this scan would continue"
    scan.replace("max_evaluations: 40", "max_evaluations: 20")
    scan.replace("z: {range: [10, 1000]", "z: {range: [10, 500]")
    another = "runs/ball holds another run, which this scan would not continue: "
    assert another + "in its scan file variables: z: range" in lodescan("check", scan.file, *there).out
    scan.replace("[10, 500]", "[10, 1000]")
    scan.replace("threshold_value: 2", "threshold_value: 1")
    found = "in its scan file networks: threshold_value"
    assert another + found in lodescan("check", scan.file, *there).out
    assert f"runs/ball holds another run: {found}" in lodescan("scan", scan.file, *there, "--quiet").err
    scan.replace("threshold_value: 1", "threshold_value: {above_best: 1}")  # then points are counted anew
    assert "this scan would continue" in lodescan("check", scan.file, *there).out
    scan.replace("{above_best: 1}", "2")
    (scan.folder / "physics.py").write_text("from helper import *\n")
    (scan.folder / "helper.py").write_text("def observables(point):\n    return {'r': 0.0}\n")
    other = EvaluatorProcess(scan.file, tmp_path / "other")
    try:
        said = lodescan("check", scan.file, "--evaluator", other.address).out
    finally:
        other.stop()
    assert another + "its evaluator computed something else: ball: file helper.py is new; ball: file phys" in said
