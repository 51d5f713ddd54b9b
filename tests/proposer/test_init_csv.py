"""Rows of an InitCSV in the gap of a symmetric prior: no u stands for them."""

import numpy as np
import pytest

from proposer.init_csv import read_init_csv
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
