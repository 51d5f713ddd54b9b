"""What runs is what the digest says: modules come from their source files, and not from older byte code."""

import os
import py_compile
import subprocess
import sys

import pytest

SCAN = (
    "variables: {x: [0, 100]}\ncodes:\n  toy:\n    function: toy:f\n    timeout: 20\n"
    "    observables: {y: {mean: 1, sigma: 1}}\n"
)
TOY = "from more import factor\n\ndef f(point):\n    return {'y': factor() * point['x']}\n"
BY_PATH = """\
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

spec = spec_from_file_location("more", Path(__file__).parent / "more.py")
more = module_from_spec(spec)
spec.loader.exec_module(more)

def f(point):
    return {'y': more.factor() * point['x']}
"""
LATE = "def f(point):\n    from more import factor\n    return {'y': factor() * point['x']}\n"
PROGRAM = (
    "variables: {x: [0, 100]}\ncodes:\n  toy:\n    command: python3 toy.py {input} {output}\n    input_file: in.slha\n"
    "    observables: {y: {slha: [OUT, 1], mean: 1, sigma: 1}}\n"
)
SCRIPT = """\
import sys
from more import factor

x = float(open(sys.argv[1]).read().split()[-1])
open(sys.argv[2], "w").write(f"BLOCK OUT\\n 1 {factor() * x}\\n")
"""
MORE = "def factor():\n    return 2\n"


def replaced(path):
    """Replaces a module by another one of the same size and time, after Python has kept the byte code of the first."""
    path.write_text(MORE)
    py_compile.compile(str(path), doraise=True)
    before = path.stat()
    path.write_text(MORE.replace("2", "3"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    done = subprocess.run(
        [sys.executable, "-c", "import more; print(more.factor())"], cwd=path.parent, capture_output=True, check=True
    )
    assert done.stdout == b"2\n"  # Python itself takes the old one


@pytest.mark.parametrize("toy", [TOY, LATE, pytest.param(BY_PATH, marks=pytest.mark.slow)])
@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_function_of_the_same_size_and_time_as_the_one_before_it_is_run(scan_file, evaluator, tmp_path, toy, workers):
    file = scan_file(SCAN, toy__py=toy)
    replaced(tmp_path / "more.py")
    server = evaluator(file, workers=workers)
    assert [list(result.observables) for result in server.evaluate([[1], [2]])] == [[3.0], [6.0]]


@pytest.mark.parametrize(("text", "toy"), [(SCAN, TOY), (PROGRAM, SCRIPT)], ids=["function", "program"])
def test_so_does_a_point_by_hand(scan_file, tmp_path, text, toy):
    file = scan_file(text, toy__py=toy, in__slha="BLOCK IN\n 1 x\n")
    replaced(tmp_path / "more.py")
    done = subprocess.run(
        [sys.executable, "-m", "evaluator", "point", str(file), "x=2", "--json"], capture_output=True, check=False
    )
    assert b'"value": 6.0' in done.stdout, done
