"""Images of the codes that lodescan ships: they compute the recorded points, and a swap rebuilds nothing of the
proposer.
"""

from __future__ import annotations

import csv
import re

import pytest

from scanspec import read_scan_file
from tests.containers.conftest import HARDENED, ROOT, Project, docker

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("images")]

CODES = ["camb", "flavio", "eos", "simsusy", "hazma", "classy"]
EOS_SM = {"BR_Bs_mumu": 3.576e-9, "RK": 1.0008, "RKst": 0.996, "P5p_4_6": -0.777, "dBR_BKmumu": 3.374e-8}
EOS_SM |= {"dBR_Bsphimumu": 4.923e-8}  # docs/swap.md, with its digits


def recorded(name: str) -> tuple[dict[str, str], dict[str, float], float]:
    """The variables of a recorded point, its observables, and the accuracy of these."""
    if name == "eos_bsmumu":
        return {}, EOS_SM, 5e-4
    with (ROOT / f"tests/data/{name}.csv").open() as file:
        _, row, *_ = csv.DictReader(file)  # the second point is valid, and it is not the middle of the ranges
    known = {key: float(value) for key, value in row.items() if value and key not in ("status", "reason")}
    return row, known, 1e-4


@pytest.mark.parametrize("name", ["camb_w0wa", "flavio_bsmumu", "eos_bsmumu", "hazma_darkphoton"])
def test_a_swap_makes_an_image_that_computes_the_recorded_point(project: Project, name: str) -> None:
    scan = read_scan_file(ROOT / "examples" / f"{name}.yaml")
    project.compose("build", "proposer")  # an image is labelled with the name of its compose project
    proposer = image_id("lodescan-proposer")
    project.variables |= {"PHYSICS": scan.environment, "SCAN": f"{name}.yaml"}
    project.compose("build")  # both sides, as `docker compose up --build` does
    assert image_id("lodescan-proposer") == proposer

    image = f"lodescan-evaluator:{scan.environment}"
    run = ["run", *HARDENED, "--volume", f"{project.folder}/examples:/scan:ro", image]
    assert "the file and its codes work" in docker(*run, "check", f"/scan/{name}.yaml").stdout
    point, observables, precision = recorded(name)
    values = [f"{variable.name}={point[variable.name]}" for variable in scan.variables if point]
    said = docker(*run, "point", f"/scan/{name}.yaml", *values).stdout
    found = dict(re.findall(rf"^│ {scan.environment} +│ (\w+) +│ (\S+)", said, re.MULTILINE))
    assert list(found) == [spec.name for code in scan.codes for spec in code.observables]
    assert {key: float(value) for key, value in found.items()} == pytest.approx(
        {key: observables[key] for key in found}, rel=precision, abs=0
    )

    never = ["torch", "sklearn", "imblearn", "proposer", *(code for code in CODES if code != scan.environment)]
    program = f"from importlib.util import find_spec; print([name for name in {never!r} if find_spec(name)])"
    assert docker("run", *HARDENED, "--entrypoint", "python", image, "-c", program).stdout.strip() == "[]"


def image_id(image: str) -> str:
    return docker("image", "inspect", "--format", "{{.Id}}", image).stdout.strip()
