"""Fixtures: scan files in the folder of a test, and evaluators that end with the test."""

import os
import shutil
import signal
import subprocess
import sys
import uuid
from types import SimpleNamespace

import pytest

from evaluator.__main__ import main
from evaluator.chain import Chain
from evaluator.codes import deadline
from scanspec import read_scan_file
from tests.evaluator.bsmart_scans import changed, write_beside
from tests.evaluator.clusters import Cluster
from tests.evaluator.evil import write_evil
from tests.evaluator.harness import DATA, PROGRAMS, TAG, Evaluator, Gated, alive, write_slow
from tests.evaluator.serving import wait_until


@pytest.fixture(autouse=True)
def alarms():
    """The time limit of a test uses the signal that also ends points. The next point must set its handler again."""
    deadline.set_before.clear()


@pytest.fixture
def evil(tmp_path):
    """Writes a scan whose function does what `ways` say; see `write_evil`."""
    return lambda *ways, timeout=20: write_evil(tmp_path, *ways, timeout=timeout)


TEMPLATE = "BLOCK MODSEL\n 1 mode\n"


@pytest.fixture
def scan_file(tmp_path):
    """Writes a scan file beside the codes of the test."""
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
    """Writes a scan with one Python function of codes.py."""

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
    """Writes a scan with one program of data/programs, and copies the program beside it."""

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
    """Makes the chain of a scan file in this process."""
    monkeypatch.setattr("sys.dont_write_bytecode", True)

    def make(path):
        found = Chain(read_scan_file(path))
        found.load()
        return found

    return make


@pytest.fixture
def bsmart(tmp_path):
    """Reads the scan file of bsmart_scans.py with changes."""
    write_beside(tmp_path)

    def read(changes=(), order=None):
        (tmp_path / "old.json").write_text(changed(changes, order))
        return read_scan_file(tmp_path / "old.json")

    return read


@pytest.fixture
def point(bsmart, tmp_path):
    """Evaluates a point of that file; gives the outcome, and the observables by name."""

    def evaluate(changes=(), values=(1.0, 200.0, 0.5), order=None):
        chain = Chain(bsmart(changes, order))
        outcome = chain.evaluate(values, tmp_path / "scratch")
        names = [spec.name for spec in chain.specs]
        return outcome, dict(zip(names, outcome.observables, strict=True))

    return evaluate


@pytest.fixture
def started():
    """Evaluators that end with the test."""
    servers: list[Evaluator] = []
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def evaluator(tmp_path, started):
    """Starts evaluators."""

    def start(scan, **options):
        started.append(Evaluator(tmp_path, scan, **options))
        return started[-1]

    return start


@pytest.fixture
def gated(tmp_path, started):
    """Starts evaluators whose points wait for the test, each in its own folder."""

    def start(**options):
        folder = tmp_path / f"gated{len(started)}"
        folder.mkdir()
        started.append(Gated(folder, **options))
        return started[-1]

    return start


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    """Starts evaluators that the tests of a module share; each must survive all tests, end in order and leave nothing
    behind.
    """
    started = []

    def start(write, **options):
        """`write` puts the scan into the folder that it is given."""
        folder = tmp_path_factory.mktemp("lasting")
        started.append(Evaluator(folder, write(folder), **options))
        return started[-1]

    yield start
    try:
        for server in started:
            assert server.terminate() == 0
            assert server.nothing_left()
    finally:
        for server in started:
            server.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """An evaluator with one worker whose points sleep for as long as they say. Tests may only send it points."""
    folder = tmp_path_factory.mktemp("shared")
    server = Evaluator(folder, write_slow(folder))
    yield server
    server.close()


@pytest.fixture
def tag(monkeypatch):
    """A mark in the environment of all processes that the test starts."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(TAG, value)
    return value


@pytest.fixture
def slow(tmp_path, evaluator):
    """Starts an evaluator whose points sleep for as long as they say."""
    return lambda **options: evaluator(write_slow(tmp_path), **options)


@pytest.fixture
def here(tmp_path, monkeypatch, capfd):
    """Runs a command in this process, for input that is refused before a code is loaded. The command must leave nothing
    behind.
    """
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    def run(*arguments):
        code: str | int | None
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse refused the options
            code = ended.code
        said = capfd.readouterr()
        assert not list(temporary.iterdir())
        return SimpleNamespace(returncode=code, stdout=said.out, stderr=said.err)

    return run


@pytest.fixture
def run(tmp_path):
    """Runs a command with its own folder for temporary files, which must be empty afterwards."""
    temporary = tmp_path / "tmp"

    def run(*arguments, timeout=60, stdout=subprocess.PIPE):
        temporary.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "evaluator", *map(str, arguments)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout,
            check=False,
            env={**os.environ, "TMPDIR": str(temporary)},
        )
        assert wait_until(lambda: not list(temporary.iterdir()))
        return done

    return run


@pytest.fixture
def cluster(tmp_path, tag):
    """A Dask cluster without workers; see `Cluster`."""
    folder = tmp_path / "dask"
    folder.mkdir()
    found = Cluster(folder, tag)
    yield found
    found.close()
    left = not wait_until(lambda: not alive(tag), 20)
    for pid in alive(tag):  # only processes of this test have its tag
        os.kill(pid, signal.SIGKILL)
    assert not left, found.said()
    assert not list(folder.glob("lodescan-*"))


@pytest.fixture
def dask_scan(scan_file):
    """Writes a scan whose points tell where they run, and wait until the test releases them."""

    def write(timeout=60):
        return scan_file(
            "variables: {x: [0, 100], mode: [0, 10]}\n"
            f"codes:\n  toy:\n    function: toy:f\n    timeout: {timeout}\n"
            "    observables: {y: {mean: 1, sigma: 1}}\n",
            toy__py=(
                "import os, time\nfrom pathlib import Path\nHERE = Path(__file__).parent\n"
                "def f(point):\n"
                "    with (HERE / 'begun').open('a') as file:\n"
                "        file.write(f\"{point['x']:g} {os.environ['LODESCAN_SCRATCH']}\\n\")\n"
                "    if point['mode'] == 1:\n        os.abort()\n"
                "    while point['mode'] == 2 and not (HERE / 'go').exists():\n        time.sleep(0.02)\n"
                "    return {'y': point['x'] ** 2}\n"
            ),
        )

    return write
