"""A scan's threads sleep while they wait for each other, and nothing else notices it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = """
import os
from proposer.strategies.torch_loading import load_torch
load_torch()
print(os.environ.get("OMP_WAIT_POLICY"))
"""

SCAN = """
import os, proposer

def code(point):
    return {"o": float("OMP_WAIT_POLICY" in os.environ)}

problem = proposer.Problem(
    variables={"x": (0, 1)}, observables={"o": (0, 1)}, code=code, threshold=1.0, points=3, setup={"type": "MLS_DNNC"}
)
run = proposer.scan(problem, folder="run", seed=1, workers=1, quiet=True, report=False)
print(run.points()["o"].max())
"""


def told(script: str, folder: Path, **given: str) -> tuple[str, int]:
    """What a script prints, and how often torch's OpenMP lets a waiting thread look before it sleeps."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**environment, "OMP_DISPLAY_ENV": "verbose", "PYTHONPATH": str(Path(__file__).parents[2]), **given},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (looks,) = (line.split("'")[1] for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line)
    return done.stdout.strip(), int(looks)


@pytest.mark.slow
def test_the_threads_of_torch_sleep_while_they_wait_unless_the_user_decides_otherwise(tmp_path: Path) -> None:
    assert told(LOAD, tmp_path) == ("None", 0)
    policy, looks = told(LOAD, tmp_path, OMP_WAIT_POLICY="ACTIVE")
    assert policy == "ACTIVE" and looks > 0


@pytest.mark.slow
def test_so_it_does_in_a_scan_whose_code_is_left_alone(tmp_path: Path) -> None:
    assert told(SCAN, tmp_path) == ("0.0", 0)
