"""Scan files in a folder of the test, and evaluators that are ended with it."""

import shutil
import uuid

import pytest

from evaluator.chain import Chain
from evaluator.codes import deadline
from scanspec import read_scan_file
from tests.evaluator.bsmart_scans import changed, write_beside
from tests.evaluator.harness import DATA, PROGRAMS, TAG, Evaluator


@pytest.fixture(autouse=True)
def alarms():
    """Each test's own time limit takes the signal that ends points; the next point takes it back."""
    deadline.set_before.clear()


FUNCTION = """
import ctypes, gc, os, pty, random, signal, subprocess, sys, time
import multiprocessing
from pathlib import Path
import numpy as np

HERE = Path(__file__).parent
rng = np.random.default_rng(3)
KEPT = []
LIBC = ctypes.CDLL(None)

def note(pid):
    with open(HERE / "pids", "a") as file:
        file.write(f"{pid}\\n")

def background():
    time.sleep(1000)

def f(point):
    way = HOW.get(int(point["mode"]))
    if way is not None:
        found = way(point)
        if found is not None:
            return {"y": found}
    return {"y": point["x"]}
"""


@pytest.fixture
def evil(scan_file):
    """A scan whose function does what `ways` say: Python for each mode, as the body of a function of `point`."""

    def write(*ways, timeout=20):
        text = FUNCTION
        for number, way in enumerate(ways, start=1):
            body = "".join(f"    {line}\n" for line in way.splitlines())
            text += f"\ndef way{number}(point):\n{body}"
        text += "\nHOW = {" + ", ".join(f"{n}: way{n}" for n in range(1, len(ways) + 1)) + "}\n"
        return scan_file(
            "variables: {x: [0, 1e6], mode: [0, 100]}\n"
            f"codes:\n  toy:\n    function: evil:f\n    timeout: {timeout}\n"
            "    observables: {y: {mean: 1, sigma: 1}}\n",
            evil__py=text,
        )

    return write


TEMPLATE = "BLOCK MODSEL\n 1 mode\n"


@pytest.fixture
def scan_file(tmp_path):
    """Writes a scan file; the test's codes are beside it."""
    shutil.copy(DATA / "codes.py", tmp_path)

    def write(text, name="scan.yaml", **files):
        for other, content in files.items():
            (tmp_path / other.replace("__", ".")).write_text(content)
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def python_scan(scan_file):
    """A scan with one Python function of codes.py."""

    def write(
        function="square", variables="x: [-5, 5]", settings="timeout: 20", observables="y: {mean: 1, sigma: 2}", more=""
    ):
        return scan_file(
            f"variables: {{{variables}}}\n"
            f"codes:\n  toy:\n    function: codes:{function}\n    {settings}\n"
            f"    observables: {{{observables}}}\n{more}"
        )

    return write


@pytest.fixture
def program_scan(tmp_path, scan_file):
    """A scan with one program of data/programs, copied beside it."""

    def write(
        program, observables="mh: {slha: [MASS, 25], mean: 125, sigma: 2}", settings="timeout: 20", words="", more=""
    ):
        target = tmp_path / program
        if not target.exists():
            shutil.copy(PROGRAMS / program, target)
        (tmp_path / "in.slha").write_text(TEMPLATE)
        return scan_file(
            f"variables: {{mode: [0, 10]}}\ncodes:\n  code:\n    command: ./{program} {words}\n"
            f"    input_file: in.slha\n    {settings}\n    observables: {{{observables}}}\n{more}"
        )

    return write


@pytest.fixture
def chain(monkeypatch):
    """The chain of a scan file, in this process."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)

    def make(path):
        found = Chain(read_scan_file(path))
        found.load()
        return found

    return make


@pytest.fixture
def bsmart(tmp_path):
    """Reads the file of BSMArt in bsmart_scans.py with changes."""
    write_beside(tmp_path)

    def read(changes=(), order=None):
        (tmp_path / "old.json").write_text(changed(changes, order))
        return read_scan_file(tmp_path / "old.json")

    return read


@pytest.fixture
def point(bsmart, tmp_path):
    """Evaluates a point of that file: the outcome, and the observables by name."""

    def evaluate(changes=(), values=(1.0, 200.0, 0.5), order=None):
        chain = Chain(bsmart(changes, order))
        outcome = chain.evaluate(values, tmp_path / "scratch")
        names = [spec.name for spec in chain.specs]
        return outcome, dict(zip(names, outcome.observables, strict=True))

    return evaluate


@pytest.fixture
def evaluator(tmp_path):
    """Starts evaluators; all are ended with the test."""
    started = []

    def start(scan, **options):
        started.append(Evaluator(tmp_path, scan, **options))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.fixture
def tag(monkeypatch):
    """A mark for all processes that the test starts from its own."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(TAG, value)
    return value


@pytest.fixture
def slow(python_scan, evaluator):
    """Starts an evaluator whose points take as long as they say."""

    def start(**options):
        return evaluator(python_scan("slow_square", "x: [-5, 5], pause: [0, 1000]", "timeout: 900"), **options)

    return start
