"""Run with pytest in the evaluator's environment."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from NAME import observables

from evaluator import InvalidPoint

HERE = Path(__file__).parent


def test_a_point_that_is_known():
    # for a light boson the loop integral is 1
    assert observables({"mass": 1.1, "epsilon": 1e-3})["amu"] == pytest.approx(1.16e-9, rel=0.05)


def test_a_point_that_is_unphysical():
    with pytest.raises(InvalidPoint):
        observables({"mass": 0.9, "epsilon": 1e-3})


def test_the_evaluator_keeps_the_contract(tmp_path):
    address_file = tmp_path / "address"
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "evaluator",
            "serve",
            str(HERE / "NAME.yaml"),
            "--listen",
            "127.0.0.1:0",
            "--workers",
            "1",
            "--address-file",
            str(address_file),
        ]
    )
    try:
        end = time.monotonic() + 60
        while not address_file.exists() and server.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        address = address_file.read_text().strip()
        subprocess.run([sys.executable, "-m", "evaluator.conformance", address], check=True, timeout=120)
    finally:
        server.terminate()
        server.wait(30)
