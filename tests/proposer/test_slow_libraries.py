"""Commands without networks and tables do not load slow libraries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from proposer.strategies.choice import TYPES
from tests.proposer.runs import make_run

SLOW = {"torch", "scipy", "pandas", "matplotlib", "sklearn", "bokeh"}

SCAN = """\
setup: {{type: {type}, run_name: a}}
variables: {{x: {{range: [0, 1], steps: 5}}, y: {{range: [1, 100], prior: log-uniform, steps: 5}}}}
codes: {{toy: {{function: toy:f, observables: {{z: {{mean: 1, sigma: 0.1}}}}}}}}
"""

COMMANDS = """\
import sys
from proposer.__main__ import main
for arguments in {commands!r}:
    assert main(arguments) == 0, arguments
"""

DRAWS = """\
import sys, proposer
problem = proposer.Problem(
    variables={{"x": (0, 1)}}, observables={{"y": (0.5, 1)}}, code=lambda point: {{"y": point["x"]}},
    threshold=2, points=5, setup={{"type": "SOBOL"}},
)
proposer.scan(problem, folder={folder!r}, workers=1, quiet=True, report=False)
"""


LEARNS = """\
import sys, proposer
for type, networks in ("MLS_DNNC", {{"bootstrap_points": 50, "epochs": 1}}), ("LODE", {{}}):
    problem = proposer.Problem(
        variables={{"x": (0, 1), "y": (0, 1)}}, observables={{"z": (0.5, 0.1)}}, code=lambda point: {{"z": point["x"]}},
        threshold=1, points=1000, setup={{"max_evaluations": 100, "type": type}}, networks=networks,
    )
    run = proposer.scan(problem, folder={folder!r} + type, workers=1, quiet=True, report=False)
    assert (run.points()["iteration"] > 0).any(), type
"""


def loaded(program: str, slow: Collection[str] = SLOW) -> set[str]:
    """The slow libraries that a program has loaded at its end."""
    program += f"print(*({slow!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_check_reads_files_of_every_type_without_them(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.yaml" for name in TYPES if name != "READ_CSV"]  # READ_CSV needs a table, and so pandas
    for file in files:
        file.write_text(SCAN.format(type=file.stem))
    assert loaded(COMMANDS.format(commands=[["check", str(file)] for file in files])) == set()


def test_status_shows_a_run_without_them(tmp_path: Path) -> None:
    folder = str(make_run(tmp_path / "run"))
    assert loaded(COMMANDS.format(commands=[["status", folder], ["status", folder, "--json"]])) == set()


@pytest.mark.slow
def test_a_scan_that_does_not_learn_loads_no_networks_and_one_without_pictures_does_not_load_them(
    tmp_path: Path,
) -> None:
    assert not loaded(DRAWS.format(folder=str(tmp_path / "run"))) & {"torch", "sklearn", "matplotlib", "bokeh"}


@pytest.mark.slow
def test_a_scan_that_learns_does_not_load_the_compiler_of_torch(tmp_path: Path) -> None:
    assert loaded(LEARNS.format(folder=str(tmp_path / "run")), {"torch", "torch._dynamo", "sympy"}) == {"torch"}
