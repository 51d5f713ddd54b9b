"""Tables of known points: how InitCSV files are read, and what is refused in them."""

import json
import math
import os
import subprocess
import sys

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


def test_rows_of_either_sign_are_read_for_a_symmetric_prior(read):
    batch, x, *_ = read("mu\n-500\n100\n-100\n")
    assert x.tolist() == [[-500.0], [100.0], [-100.0]]
    assert ((batch.u[:, 0] < 0.5) == [True, False, True]).all() and np.isfinite(batch.u).all()


@pytest.mark.parametrize("value", ["0", "99", "-50"])
def test_rows_in_the_gap_of_a_symmetric_prior_are_refused(read, value):
    with pytest.raises(
        ScanFileError, match=rf"points.csv, line 3: mu = {value} is closer to 0 than its smallest magnitude, 100"
    ):
        read(f"mu\n500\n{value}\n")


def test_a_table_of_lodescan_for_a_scan_without_likelihoods_is_believed(tmp_path):
    """There is nothing to compute its NLLs from."""
    (tmp_path / "scan.yaml").write_text(SCAN.replace("y: {mean: 1, sigma: 1}", "y: {}"))
    (tmp_path / "points.csv").write_text("id,iteration,origin,mu,y,NLL\n2,0,start,600,2,9\n")
    scan = read_scan_file(tmp_path / "scan.yaml")
    found = read_init_csv(scan, Space(scan.variables))
    assert (found.nll.tolist(), found.rescored.tolist(), found.observables) == ([9.0], [False], {})
    assert [outcome.nll for outcome in found.outcomes(scan, ["y"])] == [9.0]


def test_a_table_of_other_codes_is_told_of(tmp_path, read):
    """Its observables are scored anew, but they are what the other code has made of them."""
    table = "id,iteration,origin,mu,y,NLL\n2,0,start,600,2,9\n"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "points.csv").write_text(table)
    for before, words in ((SCAN, []), (SCAN.replace("m:f", "m:g"), ["made by other codes", "scan.yaml"])):
        (tmp_path / "run" / "scan.yaml").write_text(before)
        (tmp_path / "scan.yaml").write_text(SCAN.replace("points.csv", "run/points.csv"))
        scan = read_scan_file(tmp_path / "scan.yaml")
        (note,) = read_init_csv(scan, Space(scan.variables)).notes
        assert ("other codes" in note) is bool(words) and all(word in note for word in words)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("x;y\n1,5;2\n", ["separated by semicolons", "commas"]),
        ("1.5,2\n3,4\n", ["begins with a line of numbers", "names of the columns above it, such as mu"]),
        ("x" * 200_000 + ",y\n1,2\n", ["cannot be read as CSV"]),
        (None, ["named pipe, not a file"]),
    ],
)
def test_a_file_that_is_not_a_table_is_refused(tmp_path, rows, words):
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


def test_points_whose_observables_are_not_finite_are_evaluated(read):
    """Their old NLLs were made without these observables, which count now."""
    init = read("id,iteration,origin,mu,y,NLL\n1,0,start,500,inf,3\n2,0,start,600,2,9\n3,0,start,700,nothing,4\n")
    assert init.rescored.tolist() == [False, True, False]
    assert init.nll == pytest.approx([np.nan, 0.5, np.nan], rel=1e-3, nan_ok=True)  # by the likelihood, capped smoothly
    assert not any("believed" in note for note in init.notes)
    assert init.observables["y"][0] == np.inf


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("500,1,2", "line 4 has 3 fields, but the first line has 2 names"),
        ("500", "line 4 has 1 field, but the first line has 2 names"),
        ("500;1", "line 4 has 1 field, but the first line has 2 names"),
        ("500,1,", "line 4 has 3 fields, but the first line has 2 names"),
        ('"500\n600",1,2', "line 5 has 3 fields, but the first line has 2 names"),
    ],
)
@pytest.mark.parametrize("kind", ["RANDOM", "READ_CSV"])
def test_a_row_of_another_length_than_the_first_line_is_refused(tmp_path, kind, row, words):
    path = tmp_path / "points.csv"
    path.write_text(f"mu,NLL\n\n300,\n{row}\n")
    (tmp_path / "scan.yaml").write_text(SCAN.replace("RANDOM", kind))

    def read_both():
        scan = read_scan_file(tmp_path / "scan.yaml")
        read_init_csv(scan, Space(scan.variables))

    with pytest.raises(ScanFileError) as error:
        read_both()
    assert f"init_csv: {path} cannot be read as CSV ({words})" in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 'scan.yaml'}, line 1: ")


def test_lines_are_counted_as_in_an_editor(read):
    with pytest.raises(ScanFileError, match=r"points\.csv, line 6: mu is 'x', not a finite number"):
        read('mu,note\n\n500,"two\nlines"\n\nx,\n')


def test_missing_numbers_may_be_written_in_many_ways(read):
    points = read("mu,NLL\n500,nan\n600,\n700,NA\n800,0.5\n900,NULL\n")
    assert points.nll.tolist() == pytest.approx([np.nan, np.nan, np.nan, 0.5, np.nan], nan_ok=True)


@pytest.mark.slow
def test_a_parquet_table_is_read(tmp_path, with_pyarrow):
    (tmp_path / "scan.yaml").write_text(SCAN.replace("points.csv", "points.parquet"))
    program = """import json, pandas, sys
from proposer.run.init_csv import read_init_csv
from proposer.space import Space
from scanspec import read_scan_file
table = pandas.DataFrame({"mu": [500.0, 0.1 + 0.2 + 200], "NLL": [0.25, float("nan")], "note": ["x", None]})
table.to_parquet("points.parquet")
scan = read_scan_file("scan.yaml")
points = read_init_csv(scan, Space(scan.variables))
print(json.dumps([points.values.tolist(), points.nll.tolist()]))
"""
    found = subprocess.check_output([sys.executable, "-c", program], cwd=tmp_path, env=with_pyarrow, text=True)
    values, (known, missing) = json.loads(found)
    assert values == [[500.0], [0.1 + 0.2 + 200]] and known == 0.25 and math.isnan(missing)


@pytest.mark.parametrize("nll", ["-999", "-1e300", "-0.5"])
def test_an_impossible_nll_is_refused(read, nll):
    with pytest.raises(ScanFileError, match=r"points.csv, line 3: NLL is -.*, but the likelihoods of .* none below 0"):
        read(f"mu,NLL\n500,3\n-500,{nll}\n").check()


def test_an_nll_below_zero_is_accepted_if_the_likelihoods_allow_it(tmp_path):
    (tmp_path / "scan.yaml").write_text(SCAN.replace("mean: 1, sigma: 1", "scaling: EXPUSER"))
    (tmp_path / "points.csv").write_text("mu,NLL\n500,-3\n")
    scan = read_scan_file(tmp_path / "scan.yaml")
    points = read_init_csv(scan, Space(scan.variables))
    points.check()
    assert points.nll.tolist() == [-3.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mu\n", "has no rows below its first line"),
        ("mu,Result\n500,3\n", "has a column 'Result', which is not read"),
    ],
)
def test_unused_parts_of_a_table_are_named(read, text, words):
    (note,) = read(text).notes
    assert words in note


def test_the_faulty_cells_of_a_column_are_told_at_once(read):
    with pytest.raises(
        ScanFileError,
        match=r"line 2: mu is '1,5', not a finite number; numbers have a decimal point.*"
        r" \(nor in line 4, 5\)",
    ):
        read('mu\n"1,5"\n500\nNA\n-\n')
    with pytest.raises(ScanFileError, match=r"has no column 'mu'; it has 'MU'; did you mean 'MU'\?"):
        read("MU\n500\n")
