"""The MSSM scan through a real server and the real program, against recorded rows."""

import csv
import math
import shutil

import pytest

from lodescan.v1 import evaluation_pb2 as pb
from tests.evaluator.harness import DATA, EXAMPLES, answer_rows

pytestmark = pytest.mark.physics(environment="simsusy")

ROWS = list(csv.DictReader((DATA / "simsusy_stau.csv").read_text().splitlines()))
MORE = "      mH: {slha: [MASS, 35]}\n      mHp: {slha: [MASS, 37]}\n      mchi20: {slha: [MASS, 1000023]}\n"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Results by row, and the names of the observables."""
    folder = tmp_path_factory.mktemp("simsusy")
    for name in ("simsusy_stau.yaml", "simsusy_stau.in.slha", "higgs_mass.py"):
        shutil.copy(EXAMPLES / name, folder)
    scan = folder / "simsusy_stau.yaml"
    text = scan.read_text()
    assert text.count("    observables:\n      mchi10:") == 1
    scan.write_text(text.replace("    observables:\n      mchi10:", f"    observables:\n{MORE}      mchi10:"))
    return answer_rows(scan, ROWS)


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_a_recorded_row_is_reproduced(answers, number):
    results, names = answers
    row, result = ROWS[number], results[number]
    assert pb.Status.Name(result.status) == f"STATUS_{row['status']}", result.message
    if "math domain error" in row["reason"]:
        assert result.message == "ValueError: math domain error" and result.failed_code == "simsusy"
        assert not list(result.seconds)[1:]
    elif row["status"] == "INVALID":
        assert "lsp_gap" in result.message
    found = dict(zip(names, result.observables, strict=True))
    missing = {names[position] for position in result.missing}
    for name in set(names) & set(row):
        if row[name] == "" or (row["status"] != "OK" and name in missing):
            continue
        expected = float(row[name])
        value = abs(found[name]) if name.startswith("mchi") else found[name]
        if math.isnan(expected):
            assert math.isnan(value) and name not in missing
        else:
            # a difference of two masses with nine digits each
            assert value == pytest.approx(
                abs(expected) if name.startswith("mchi") else expected, rel=1e-7, abs=2e-4 if name == "lsp_gap" else 0
            )
    if row["status"] == "OK":
        assert result.nll == pytest.approx(float(row["nll"]), rel=1e-6, abs=1e-5)
        assert result.nll == pytest.approx(math.fsum(result.losses), rel=1e-12)
    else:
        assert not result.HasField("nll")


def test_the_rows_have_every_kind_of_outcome():
    assert {(row["status"], row["mh"] == "nan") for row in ROWS} >= {("OK", True), ("OK", False), ("INVALID", False)}
