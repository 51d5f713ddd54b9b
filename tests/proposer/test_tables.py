"""CSV files for spreadsheets: a text must not become a formula, and a number stays a number."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from proposer.run.columns import Columns
from proposer.run.dataset import Dataset, Outcome
from proposer.run.init_csv import read_init_csv
from proposer.run.tables import GoodPoints, as_text, export, from_text
from proposer.space import Space
from proposer.target import Target
from proposer.types import Batch, Status
from scanspec import read_scan_file

EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]


@pytest.mark.parametrize("cell", [*EVIL, "plain", "", "'quoted", "a=b", "'"])
def test_a_text_is_read_back_unchanged(cell: str) -> None:
    assert from_text(as_text(cell)) == cell
    assert not as_text(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_formulas_in_texts_and_names_are_written_as_text(tmp_path: Path) -> None:
    variables, observables = ["-x"], ["=y", "@z"]
    with Dataset(tmp_path) as dataset:
        columns = Columns.named(variables, observables, ["c0"])
        dataset.start(columns, {"variables": variables, "observables": observables})
        u = np.array([[0.1], [0.2]])
        dataset.add_batch(Batch(u, ["=origin", "random"], 1), -u, b"")
        dataset.record(
            [
                Outcome(
                    1,
                    Status.OK,
                    nll=-1.5,
                    observables=[-2.0, 1.0],
                    losses=[-1.5, 0.0],
                    seconds=[0.1],
                    warnings=["@evil"],
                ),
                Outcome(
                    2,
                    Status.INVALID,
                    nll=None,
                    observables=[-3.0, np.nan],
                    losses=(),
                    seconds=[0.1],
                    failed_code="+code",
                    message="=cmd|' /C calc'!A0",
                    warnings=(),
                    missing=[1],
                ),
            ]
        )
        GoodPoints(tmp_path / "good_points.csv", variables, observables, Target(2.0)).rewrite(dataset)
    for path in (tmp_path / "good_points.csv", export(tmp_path, "csv")):
        with path.open(newline="") as file:
            header, *rows = csv.reader(file)
        assert header[-1] == "NLL" or "message" in header
        assert {"'-x", "'=y", "'@z"} <= set(header)
        assert rows
        for row in rows:
            for cell in row:
                number = pd.to_numeric(cell, errors="coerce")
                assert not cell.startswith(("=", "+", "-", "@")) or np.isfinite(number), cell
    table = pd.read_csv(tmp_path / "points.csv")
    assert table["'-x"].tolist() == [-0.1, -0.2] and table["NLL"].iloc[0] == -1.5
    assert table["message"].iloc[1] == "'=cmd|' /C calc'!A0"


def test_a_table_of_a_run_can_be_an_init_csv(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("'-x,NLL\n-0.5,1\n")
    (tmp_path / "scan.yaml").write_text(
        'setup: {init_csv: points.csv}\nvariables: {"-x": [-1, 1]}\ncodes:\n  c:\n    function: a:b\n'
        "    observables: {y: {mean: 1, sigma: 1}}\n"
    )
    scan = read_scan_file(tmp_path / "scan.yaml")
    read = read_init_csv(scan, Space(scan.variables))
    assert read is not None and read[1].tolist() == [[-0.5]]
