"""`lodescan compare` and `lodescan merge`: runs of one question side by side, and in one folder."""

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
    """Twenty and thirty points; the first five of the second are the last of the first."""
    runs = []
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


def test_compare_and_merge(two_runs: tuple[Path, Path], lodescan: Lodescan, tmp_path: Path) -> None:
    first, second = map(read_run, two_runs)
    said = lodescan("compare", *two_runs)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith(f"{two_runs[0]}: ") and " of 20 evaluated" in lines[0] and " of 30 evaluated" in lines[1]
    assert lines[2:4] == ["5 points are in both runs", "  OK, OK: 5"]
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
    assert [each["seed"] for each in meta(merged)["merged_from"]] == [1, 2]
    good = sum(nll < 2 for nll in whole.nll)
    with (merged / "good_points.csv").open() as file:
        assert len(list(csv.DictReader(file))) == good
    status = lodescan("status", merged)
    assert status.code == 0 and "stopped: merged from 2 runs" in status.out and "evaluated: 45 (" in status.out

    again = lodescan("merge", *two_runs, "--run", merged)
    assert again.code == 2 and "holds a run already; name a new folder" in again.err


def test_what_does_not_belong_together(
    two_runs: tuple[Path, Path], shared: Shared, lodescan: Lodescan, tmp_path: Path
) -> None:
    other = ScanFolder(tmp_path / "c", {"setup": "  seed: 3\n  type: RANDOM\n  max_evaluations: 5"})
    other.replace("  threshold_value: 2\n", "  threshold_value: 3\n")
    run = tmp_path / "run_c"
    lodescan("scan", other.file, "--evaluator", shared[1].address, "--run", run, "--quiet")
    said = lodescan("merge", two_runs[0], run, "--run", tmp_path / "merged")
    assert said.code == 2 and "it has other threshold_value" in said.err and not (tmp_path / "merged").exists()
    assert lodescan("merge", run, "--run", tmp_path / "merged").code == 2
    assert lodescan("compare", run, tmp_path / "nowhere").code == 2
