"""`lodescan-evaluator point --json` prints one object for every kind of outcome."""

import json
import subprocess
import sys

import pytest

from tests.documented_keys import documented, keys_of

TEXT = """\
variables: {x: [-4, 6], y: {range: [0, 1], unit: GeV}}
codes:
  toy:
    function: mine:values
    observables: {a: {mean: 3, sigma: 2, unit: GeV2}, b: {scaling: "OFF"}, c: {valid: [0, 10]}}
"""
FUNCTION = """
from evaluator import InvalidPoint

def values(point):
    print("of a user's function")
    if point["x"] < 0:
        raise InvalidPoint("a tachyon")
    if point["x"] > 5:
        raise ValueError("a fault")
    return {"a": point["x"], "b": float("nan"), "c": 1.0}
"""


@pytest.fixture
def point(tmp_path):
    (tmp_path / "mine.py").write_text(FUNCTION)
    scan = tmp_path / "scan.yaml"
    scan.write_text(TEXT)

    def run(*arguments):
        command = [sys.executable, "-m", "evaluator", "point", str(scan), *arguments, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert "of a user's function" in done.stderr
        return done.returncode, json.loads(done.stdout)  # there is no other output

    return run


def test_the_page_on_json_names_the_keys_of_points_that_are_ok_and_not_ok(point, tmp_path):
    (code, found), *others = (point(f"x={x}", "y=2", "--keep", str(tmp_path / f"kept{x}")) for x in (5, -1, 5.5))
    assert (code, found["status"], found["nll"]) == (0, "OK", pytest.approx(0.5, rel=0.01))
    assert found["variables"] == {"x": 5.0, "y": 2.0}
    assert found["outside"] == ["y = 2 is outside its range, 0 to 1"]
    a, b, c = found["observables"]
    assert a == {"name": "a", "code": "toy", "unit": "GeV2", "value": 5.0, "likelihood": "GAUSS 3 +- 2"} | {
        "loss": found["nll"]
    }
    assert (b["value"], b["loss"], c["value"], c["loss"]) == (None, None, 1.0, None)
    assert found["seconds"]["toy"] >= 0 and found["kept"] == str(tmp_path / "kept5")

    expected = [(0, "INVALID", "a tachyon"), (1, "FAILED", "a fault")]
    for (ended, bad), (code, status, message) in zip(others, expected, strict=True):
        assert (ended, bad["status"], bad["failed_code"], bad["nll"]) == (code, status, "toy", None)
        assert message in bad["message"]
        assert [observable["value"] for observable in bad["observables"]] == [None] * 3

    page = documented("lodescan-evaluator point --json")
    assert keys_of([found, *(bad for _, bad in others)], page) == page
