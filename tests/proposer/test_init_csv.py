"""Rows of an InitCSV in the gap of a symmetric prior: no u stands for them."""

import os

import numpy as np
import pytest

from proposer.run.init_csv import read_init_csv
from proposer.space import Space
from scanspec import ScanFileError, read_scan_file

SCAN = """setup: {type: RANDOM, init_csv: points.csv}
variables:
  mu: {range: [100, 1000], prior: symmetric-log}
codes: {c: {function: 'm:f', observables: {y: {mean: 1, sigma: 1}}}}
"""


@pytest.fixture
def read(tmp_path):
    (tmp_path / "scan.yaml").write_text(SCAN)
    scan = read_scan_file(tmp_path / "scan.yaml")

    def read(text):
        (tmp_path / "points.csv").write_text(text)
        return read_init_csv(scan, Space(scan.variables))

    return read


def test_either_sign_is_read(read):
    batch, x, *_ = read("mu\n-500\n100\n-100\n")
    assert x.tolist() == [[-500.0], [100.0], [-100.0]]
    assert ((batch.u[:, 0] < 0.5) == [True, False, True]).all() and np.isfinite(batch.u).all()


@pytest.mark.parametrize("value", ["0", "99", "-50"])
def test_the_gap_is_refused(read, value):
    with pytest.raises(ScanFileError, match=rf"points.csv, line 3: mu = {value} is nearer to 0 than 100, its least"):
        read(f"mu\n500\n{value}\n")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("x;y\n1,5;2\n", ["separated by semicolons", "commas"]),
        ("x" * 200_000 + ",y\n1,2\n", ["cannot be read as CSV"]),
        (None, ["named pipe, not a file"]),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, rows, words):
    path = tmp_path / "points.csv"
    if rows is None:
        os.mkfifo(path)
    else:
        path.write_text(rows)
    (tmp_path / "scan.yaml").write_text(SCAN)
    scan = read_scan_file(tmp_path / "scan.yaml")
    with pytest.raises(ScanFileError, match=r"scan\.yaml, line 1: init_csv: ") as error:
        read_init_csv(scan, Space(scan.variables))
    assert all(word in str(error.value) for word in words)


def test_observables_that_are_not_finite_are_no_fault(read):
    init = read("id,iteration,origin,mu,y,NLL\n1,0,start,500,inf,3\n2,0,start,600,2,9\n3,0,start,700,nothing,4\n")
    assert init.rescored.tolist() == [False, True, False]
    assert init.nll == pytest.approx([3, 0.5, 4], rel=1e-3)  # the second by the likelihood, capped smoothly
    assert init.observables["y"][0] == np.inf
