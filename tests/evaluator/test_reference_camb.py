"""The dark energy scan through a real server and CAMB, against recorded rows; and a NaN that aborts CAMB."""

import csv
import math
import shutil

import numpy as np
import pytest

from lodescan.v1 import evaluation_pb2 as pb
from scanspec import losses_and_nll, read_scan_file
from tests.evaluator.harness import DATA, EXAMPLES, Evaluator, answer_rows

pytestmark = pytest.mark.physics(environment="camb")

ROWS = list(csv.DictReader((DATA / "camb_w0wa.csv").read_text().splitlines()))
VARIABLES = ("H0", "ombh2", "omch2", "w0", "wa")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("camb")
    for path in (EXAMPLES / "camb_w0wa.py", DATA / "camb_nan.py", DATA / "camb_nan.yaml"):
        shutil.copy(path, folder)
    server = Evaluator(folder, folder / "camb_nan.yaml", workers=2)
    yield server
    server.close()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The results of the example by row, and the names of the observables."""
    folder = tmp_path_factory.mktemp("camb")
    for name in ("camb_w0wa.py", "camb_w0wa.yaml"):
        shutil.copy(EXAMPLES / name, folder)
    return answer_rows(folder / "camb_w0wa.yaml", ROWS)


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_a_recorded_row_is_reproduced(reference, number):
    results, names = reference
    row, result = ROWS[number], results[number]
    assert pb.Status.Name(result.status) == f"STATUS_{row['status']}", result.message
    if row["status"] == "INVALID":
        assert result.message.startswith("CAMBError: dark energy model has w + wa > 0") and len(result.missing) == len(
            names
        )
        return
    found = dict(zip(names, result.observables, strict=True))
    for name in set(names) & set(row):
        assert found[name] == pytest.approx(float(row[name]), rel=1e-5)
    assert found["baryons"] == float(row["ombh2"])
    # the loss z^2/2 has twice the relative error of z, and z has that of x times x / (x - m)
    assert result.nll == pytest.approx(float(row["nll"]), rel=2e-3)
    assert result.nll == pytest.approx(math.fsum(result.losses), rel=1e-12)


def test_the_recorded_likelihoods_follow_from_the_recorded_observables():
    specs = read_scan_file(EXAMPLES / "camb_w0wa.yaml").all_observables()
    rows = [row for row in ROWS if row["status"] == "OK"]
    columns = ["ombh2" if spec.name == "baryons" else spec.name for spec in specs]
    values = np.array([[float(row[name]) for name in columns] for row in rows])
    _, nll = losses_and_nll([spec.likelihood for spec in specs], values)
    assert nll == pytest.approx(
        [float(row["nll"]) for row in rows], abs=6e-7
    )  # the precision to which they were written


@pytest.mark.slow
def test_a_nan_inside_camb_costs_only_that_point(server):
    good = next(row for row in ROWS if row["status"] == "OK")
    values = [float(good[name]) for name in VARIABLES]
    bad = [70.0, *values[1:]]
    results = server.evaluate([values, bad, values, bad, values], timeout=200)
    assert [pb.Status.Name(result.status) for result in results] == [
        "STATUS_OK",
        "STATUS_FAILED",
        "STATUS_OK",
        "STATUS_FAILED",
        "STATUS_OK",
    ]
    assert "took its process down" in results[1].message and results[1].failed_code == "camb"
    for result in (results[0], results[2], results[4]):
        assert result.nll == pytest.approx(float(good["nll"]), rel=2e-3)
