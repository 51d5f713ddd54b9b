"""A clock that is set back and forth while a scan runs changes neither its points nor its deadlines."""

from __future__ import annotations

import contextlib
import csv
import math
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

FILE = """
setup: {run_name: r, type: RANDOM, max_evaluations: 60, points: 1000, seed: 1, max_hours: 0.1}
variables: {x: [0, 10]}
codes:
  toy: {function: "toy:f", timeout: 30, observables: {y: {mean: 5, sigma: 1}}}
"""
JUMPS = """
import random, time
draws, real, real_ns = random.Random(1), time.time, time.time_ns
YEAR = 3.2e7

def jump():
    return draws.choice([0.0, -YEAR, YEAR, -3600.0, 3600.0, -1.5, 1.5])

time.time = lambda: real() + jump()
time.time_ns = lambda: real_ns() + int(1e9 * jump())
"""


@pytest.mark.slow
def test_a_clock_that_jumps_changes_no_point_and_no_deadline(tmp_path: Path) -> None:
    (tmp_path / "toy.py").write_text("def f(point):\n    return {'y': point['x']}\n")
    (tmp_path / "scan.yaml").write_text(FILE)
    (tmp_path / "jumps").mkdir()
    (tmp_path / "jumps" / "sitecustomize.py").write_text(JUMPS)
    tables: list[list[dict[str, str]]] = []
    for path in ("", str(tmp_path / "jumps")):
        run = tmp_path / f"run{len(tables)}"
        command = [sys.executable, "-m", "proposer", "run", str(tmp_path / "scan.yaml"), "--run", str(run)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [path, *sys.path]))},
        )
        assert (done.returncode, "60 points evaluated" in done.stdout + done.stderr) == (0, True), done.stderr
        command = [sys.executable, "-m", "proposer", "export", str(run)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        with (run / "points.csv").open() as file:
            tables.append(list(csv.DictReader(file)))
    with contextlib.closing(sqlite3.connect(tmp_path / "run1" / "dataset.sqlite")) as dataset:
        (spread,) = dataset.execute("SELECT max(returned_at) - min(returned_at) FROM points").fetchone()
    assert spread > 3600.0  # the clock did jump
    seconds = [float(row.pop("seconds")) for table in tables for row in table]
    assert all(0.0 <= value < 30.0 and math.isfinite(value) for value in seconds)
    assert tables[0] == tables[1] and len(tables[0]) == 60
