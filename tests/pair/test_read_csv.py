"""READ_CSV: the rows of a table are evaluated, with both sides."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, read_run
from tests.pair.test_init_csv import nll

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]

ROWS = "z,other,x,y\n100,a,0.5,0\n20,b,0.9,-1\n100,,0.5,0.1\n100,c,0.5,0\n"


def test_every_row_and_nothing_else_is_evaluated_exactly_once(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(setup="  seed: 1\n  type: READ_CSV\n  init_csv: rows.csv")
    (scan.folder / "rows.csv").write_text(ROWS)
    evaluator = start_evaluator(scan.file)
    run = tmp_path / "run"
    for _ in range(2):
        said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", run)
        assert said.code == 0, said.err
        assert "stopped: every row of the table is evaluated" in said.out + said.err
        assert "the file gives no points" not in said.out + said.err
    points = read_run(run)
    assert points.params == [(0.5, 0.0, 100.0), (0.9, -1.0, 20.0), (0.5, 0.1, 100.0)]
    assert sorted(scan.evaluated()) == sorted(points.params)
    assert points.nll == pytest.approx([nll(*param) for param in points.params])


def test_an_nll_in_the_table_is_computed_again(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan = make_scan(setup="  seed: 1\n  type: READ_CSV\n  init_csv: rows.csv")
    (scan.folder / "rows.csv").write_text("x,y,z,NLL\n0.5,0,100,-7\n")  # with one row, every variable is fixed
    evaluator = start_evaluator(scan.file)
    said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "run")
    assert said.code == 0, said.err
    assert read_run(tmp_path / "run").nll == pytest.approx([nll(0.5, 0, 100)])


def test_a_scan_file_of_bsmart_takes_its_ranges_from_the_table(make_scan: MakeScan, lodescan: Lodescan) -> None:
    scan = make_scan()
    (scan.folder / "rows.csv").write_text(ROWS)
    file = scan.folder / "old.json"
    file.write_text(
        json.dumps(
            {
                "Setup": {"RunName": "rows", "Type": "read_csv", "Input_CSV_File": "rows.csv", "Batch_size": "10"},
                "Variables": {"x": {}, "y": "y", "z": {"RANGE": [0, 1]}},
                "Codes": {"toy": {"function": "toy:toy", "observables": {"o": {"MEAN": 1, "SIGMA": 1}}}},
            }
        )
    )
    said = lodescan("check", file)
    assert said.code == 0, said.err
    for words in ("x: 0.5 to 0.9", "y: -1 to 0.1", "z: 20 to 100", "starts from 4 points of rows.csv", "z: range"):
        assert words in said.out


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, ["rows.csv cannot be read as CSV"]),
        ("x,z\n0.5,100\n", ["has no column 'y'", "'x', 'z'"]),
        ("x,y,z\n0.5,zero,100\n", ["the column 'y'", "holds no number"]),
        ("x,y,z\n0.5,0,100\n0.5,zero,100\n", ["line 3", "y is 'zero'", "not a finite number"]),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    rows: str | None, words: list[str], make_scan: MakeScan, lodescan: Lodescan
) -> None:
    scan = make_scan(setup="  type: READ_CSV\n  init_csv: rows.csv")
    if rows is not None:
        (scan.folder / "rows.csv").write_text(rows)
    said = lodescan("check", scan.file)
    assert said.code == 2
    for word in words:
        assert word in said.err


def test_a_missing_table_is_named(make_scan: MakeScan, lodescan: Lodescan) -> None:
    scan = make_scan(setup="  type: READ_CSV")
    said = lodescan("check", scan.file)
    assert said.code == 2
    assert "type READ_CSV needs a table: write init_csv: FILE" in said.err
