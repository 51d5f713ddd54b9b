"""What is said of an error in a user's function: its own line, and the name that was meant."""

import subprocess
import sys

import pytest

from evaluator.chain import Status

SCAN = (
    "variables: {a: [1, 2], ms: [1, 2]}\ncodes:\n  toy:\n    function: mine:f\n"
    "    observables: {y: {mean: 1, sigma: 1}}\n"
)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("return {'y': point['A']}", "the point has no 'A'; did you mean 'a'? (FOLDER/mine.py, line 5)"),
        ("return {'y': point['mss']}", "the point has no 'mss'; did you mean 'ms'? (FOLDER/mine.py, line 5)"),
        ("return {'y': {}['b']}", "KeyError: 'b' (FOLDER/mine.py, line 5)"),
        ("return {'y': np.linalg.inv(np.zeros((2, 2)))}", "LinAlgError: Singular matrix (FOLDER/mine.py, line 5)"),
        ("return help_me(point)", "ValueError: no (FOLDER/helper.py, line 2)"),
        ("return json.loads('x')", "(FOLDER/mine.py, line 5)"),
        ("sys.exit()", "it called sys.exit with exit code 0 (FOLDER/mine.py, line 5)"),
        ("sys.exit(3)", "it called sys.exit with exit code 3 (FOLDER/mine.py, line 5)"),
        ("sys.exit('enough')", "it called sys.exit: enough (FOLDER/mine.py, line 5)"),
    ],
)
def test_the_users_line(scan_file, chain, tmp_path, monkeypatch, lines, message):
    for name in ("mine", "helper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    scan = scan_file(
        SCAN,
        mine__py=f"import json, sys\nimport numpy as np\nfrom helper import help_me\ndef f(point):\n    {lines}\n",
        helper__py="def help_me(point):\n    raise ValueError('no')\n",
    )
    outcome = chain(scan).evaluate([1.5, 1.5], tmp_path / "s")
    assert outcome.status is Status.FAILED
    assert message.replace("FOLDER", str(tmp_path)) in outcome.message


@pytest.mark.parametrize("command", ["point", "check"])
@pytest.mark.parametrize("source", ["import sys\ndef f(point):\n    sys.exit(0)\n", "import sys\nsys.exit(0)\n"])
def test_sys_exit_is_an_error(scan_file, command, source):
    scan = scan_file(SCAN, mine__py=source)
    done = subprocess.run(
        [sys.executable, "-m", "evaluator", command, str(scan)], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "it called sys.exit" in done.stdout + done.stderr


def test_a_name_that_is_not_there_may_be_asked_for(scan_file, chain, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setattr("sys.path", list(sys.path))
    scan = scan_file(SCAN, mine__py="def f(point):\n    return {'y': point.get('b', 7.0) + ('c' in point)}\n")
    assert chain(scan).evaluate([1.5, 1.5], tmp_path / "s").observables == [7.0]
