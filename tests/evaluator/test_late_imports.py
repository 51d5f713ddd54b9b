"""A module that a function imports only while a point runs is named, because the digest does not cover it."""

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
