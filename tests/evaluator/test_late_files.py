"""A file that a function imports or reads only while a point runs is named, because the digest does not cover it."""

import pytest

SCAN = """variables: {x: [0, 100]}
codes:
  toy:
    function: toy:f
    observables: {y: {mean: 1, sigma: 1}}
"""
BY_NAME = """
import importlib

def f(point):
    helper = importlib.import_module("help" + "er")
    return {"y": helper.factor * point["x"]}
"""
BY_PATH = """
import importlib.util, sys
from pathlib import Path

def f(point):
    if "hidden" not in sys.modules:
        spec = importlib.util.spec_from_file_location("hidden", Path(__file__).parent / "helper.py")
        sys.modules["hidden"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["hidden"])
    return {"y": sys.modules["hidden"].factor * point["x"]}
"""
IN_THE_FUNCTION = """
def f(point):
    import helper, csv, numpy.polynomial
    return {"y": helper.factor * point["x"]}
"""
OF_THE_POINT = """
import importlib, sys

def f(point):
    (point.folder / "made.py").write_text("factor = 2")
    sys.path.insert(0, str(point.folder))
    return {"y": importlib.import_module("ma" + "de").factor * point["x"]}
"""


@pytest.mark.parametrize(
    ("code", "more", "workers", "named"),
    [
        (BY_NAME, "", 2, True),
        (BY_NAME, "", 0, True),
        (BY_PATH, "", 2, True),
        (BY_NAME, "    data: helper.py\n", 2, False),
        (IN_THE_FUNCTION, "", 0, False),
        (OF_THE_POINT, "", 0, False),
    ],
    ids=["by name", "in this process", "by path", "named as data", "in the function", "made by the point"],
)
def test_a_module_outside_the_digest_is_named_once(scan_file, evaluator, tmp_path, code, more, workers, named):
    path = scan_file(SCAN + more, toy__py=code, helper__py="factor = 2\n")
    server = evaluator(path, workers=workers)
    rows = [[x] for x in range(40)]
    assert [list(result.observables) for result in server.evaluate(rows)] == [[2.0 * x] for (x,) in rows]
    assert server.terminate() == 0
    said = server.log.read_text()
    note = f"note: {tmp_path / 'helper.py'} was imported only while a point ran"
    assert said.count(note) == said.count("was imported only") == named
    assert said.count("or name it as `data` of the code in the scan file") == named


DATA = "from pathlib import Path\nimport os, subprocess, sys\nHERE = Path(__file__).parent\n"
READS = DATA + "def f(point):\n    return {'y': float((HERE / 'factor.dat').read_text()) * point['x']}\n"
READS_ONCE = DATA + (
    "FACTOR = []\ndef f(point):\n    FACTOR or FACTOR.append(float(os.read(os.open(HERE / 'factor.dat', 0), 9)))\n"
    "    return {'y': FACTOR[0] * point['x']}\n"
)
RUNS = DATA + (
    "def f(point):\n    said = subprocess.run([sys.executable, HERE / 'factor.dat'], stdout=subprocess.PIPE).stdout\n"
    "    return {'y': float(said or 2) * point['x']}\n"
)
AT_IMPORT = DATA + (
    "FACTOR = float((HERE / 'factor.dat').read_text())\ndef f(point):\n"
    "    return {'y': float((HERE / 'factor.dat').read_text()) * point['x']}\n"
)
OWN = DATA + (
    "def f(point):\n    (HERE / 'own.dat').write_text('2')\n    (point.folder / 'its.dat').write_text('2')\n"
    "    (point.folder / 'its.dat').read_text()\n"
    "    return {'y': float((HERE / 'own.dat').read_text()) * point['x']}\n"
)


@pytest.mark.parametrize(
    ("code", "more", "workers", "named"),
    [
        (READS, "", 1, True),
        (READS, "", 0, True),
        (READS_ONCE, "", 1, True),
        (RUNS, "", 1, True),
        (READS, "    data: factor.dat\n", 1, False),
        (AT_IMPORT, "", 1, False),
        (OWN, "", 1, False),
    ],
    ids=["reads", "in this process", "reads once", "runs", "named as data", "read at import too", "writes"],
)
def test_a_file_outside_the_digest_that_points_read_is_named_once(
    scan_file, evaluator, tmp_path, code, more, workers, named
):
    path = scan_file(SCAN + more, toy__py=code)
    (tmp_path / "factor.dat").write_text("2")
    server = evaluator(path, workers=workers)
    rows = [[x] for x in range(4)]
    assert [list(result.observables) for result in server.evaluate(rows)] == [[2.0 * x] for (x,) in rows]
    assert server.terminate() == 0
    said = server.log.read_text()
    note = f"note: {tmp_path / 'factor.dat'} was read only while a point ran"
    assert said.count(note) == said.count("was read only") == named
    assert said.count("or name it as `data` of the code in the scan file") == named
