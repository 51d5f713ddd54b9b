"""An interrupt of `proposer.scan`, at any time from its call on, keeps what was evaluated."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from proposer.interface.scans import INTERRUPTED
from tests.evaluator.serving import wait_until
from tests.proposer.called import SCRIPT, problem, scan
from tests.proposer.datasets import count


@pytest.mark.slow
def test_an_interrupt_keeps_what_was_evaluated_and_the_same_call_goes_on(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "script.py"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    dataset = tmp_path / "run/dataset.sqlite"
    answered = "status IS NOT NULL"
    assert wait_until(lambda: count(dataset, answered) >= 20 or process.poll() is not None)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # the workers get the signal too, as from a terminal
    error = process.communicate()[1].rstrip()
    assert error.splitlines()[-1] == f"KeyboardInterrupt: {INTERRUPTED}" and process.returncode
    assert error.count("Traceback") == 1  # none of a worker
    assert count(dataset, answered) >= 20
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert "going on:" in done.stderr and "40 good points found" in done.stderr

    def ring(point):
        return {"radius": math.hypot(point["x"], point["y"])}

    scan(problem(ring, setup={"type": "RANDOM"}), tmp_path / "whole")
    tables = [(tmp_path / name / "good_points.csv").read_bytes() for name in ("whole", "run")]
    assert tables[0] == tables[1]


EARLY = """
import math, os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs this test may ignore it

def interrupt():
    os.killpg(0, signal.SIGINT)  # the workers get the signal too, as from a terminal

class Loading:
    def find_spec(name, *_):
        if name == "torch.nn" and not loaded:
            loaded.append(name)
            interrupt()

loaded = []
sys.meta_path.insert(0, Loading)

def once(owner, name):
    of = getattr(owner, name)
    def instead(*arguments, **others):
        setattr(owner, name, of)
        try:
            return of(*arguments, **others)
        finally:
            interrupt()
    setattr(owner, name, instead)

def ring(point):
    return {"radius": math.hypot(point["x"], point["y"])}

def call(folder="run"):
    import proposer
    problem = proposer.Problem(
        variables={"x": (-3, 3), "y": (-3, 3)}, observables={"radius": (2.0, 0.3)}, code=ring, threshold=2.0, points=90
    )
    return proposer.scan(problem, folder=folder, seed=1, workers=2, quiet=True, report=False)

def interrupted():
    try:
        call()
    except KeyboardInterrupt as error:
        print(error)

interrupted()  # while torch is imported, which cannot be done twice
assert loaded
from proposer.strategies.lode.process import Processes
from proposer.scanning import Dataset
once(Dataset, "add_batch")  # before a point is sent
interrupted()
os.environ["INTERRUPTED_WHILE_IT_LOADS"] = "1"
interrupted()
del os.environ["INTERRUPTED_WHILE_IT_LOADS"]
once(Processes, "learn")  # while the model trains
interrupted()
call(), call("whole")
assert open("run/good_points.csv").read() == open("whole/good_points.csv").read()
"""


A_WORKER_LOADS = """
import os, signal, sys
if os.environ.get("INTERRUPTED_WHILE_IT_LOADS") and "loky.backend.popen_loky_posix" in sys.orig_argv:
    try:
        os.close(os.open("interrupted", os.O_CREAT | os.O_EXCL))  # the first one: a later signal would come too late
    except FileExistsError:
        pass
    else:
        os.killpg(0, signal.SIGINT)
"""


@pytest.mark.slow
def test_a_scan_may_be_interrupted_at_any_time_from_its_call_on(tmp_path: Path) -> None:
    """Each time, the message says what to do, no worker prints a traceback, and the same call goes on."""
    (tmp_path / "sitecustomize.py").write_text(A_WORKER_LOADS)
    done = subprocess.run(
        [sys.executable, "-c", EARLY],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        start_new_session=True,
        timeout=120,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == [INTERRUPTED] * 4
    assert (tmp_path / "interrupted").exists()
