"""The command that a user would type runs one point of every example in its environment."""

import os
import subprocess
import sys

import pytest

from tests.evaluator.harness import EXAMPLES, environment_of

pytestmark = pytest.mark.slow


def marked(path):
    environment = environment_of(path)
    marks = [] if environment == "evaluator" else [pytest.mark.physics(environment=environment)]
    return pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize("path", [marked(file) for file in sorted(EXAMPLES.glob("*.yaml"))])
def test_check_runs_one_point_of_every_example(path):
    done = subprocess.run(
        [sys.executable, "-m", "evaluator", "check", str(path)],
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "note:" not in done.stdout
    assert "the file and its codes work" in done.stdout or "the middle of the ranges is unphysical" in done.stdout
    assert path.name in (EXAMPLES / "README.md").read_text()
