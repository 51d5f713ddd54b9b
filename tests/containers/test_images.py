"""What is in the images, and what is not."""

from __future__ import annotations

import json

import pytest

from tests.containers.conftest import HARDENED, Project, docker, layers

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("images")]

PROPOSER, BASE, SIMSUSY = "lodescan-proposer", "lodescan-evaluator:evaluator", "lodescan-evaluator:simsusy"

METRICS = (  # with the packages that --metrics needs on both sides, also for the expiry of certificates
    "import cryptography.x509, urllib.request; from scanspec.metrics import serving_metrics; said = []; "
    "serving = serving_metrics('0', said.append); registry = serving.__enter__(); "
    "urllib.request.urlopen(said[0].split()[1]).close(); serving.__exit__(None, None, None)"
)


@pytest.mark.parametrize(("image", "most"), [(PROPOSER, 1.9e9), (BASE, 350e6)])
def test_images_are_as_small_as_promised(image: str, most: float) -> None:
    size = int(docker("image", "inspect", "--format", "{{.Size}}", image).stdout)
    print(f"{image}: {size / 1e6:.0f} MB")
    assert size <= most


@pytest.mark.parametrize(
    ("image", "never"),
    [
        (BASE, ["torch", "sklearn", "imblearn", "pandas", "scipy", "proposer", "simsusy", "camb"]),
        (SIMSUSY, ["torch", "sklearn", "imblearn", "pandas", "proposer", "camb"]),
        (PROPOSER, ["evaluator", "simsusy", "yaslha", "pyslha", "camb", "simpleeval", "pyarrow"]),
    ],
)
def test_neither_side_has_the_packages_of_the_other(image: str, never: list[str]) -> None:
    program = f"from importlib.util import find_spec; print([name for name in {never!r} if find_spec(name)])"
    assert docker("run", *HARDENED, "--entrypoint", "python", image, "-c", program).stdout.strip() == "[]"


@pytest.mark.parametrize("image", [PROPOSER, BASE])
def test_the_default_user_is_not_root(image: str) -> None:
    config = json.loads(docker("image", "inspect", image).stdout)[0]["Config"]
    assert config["User"] == "10001:10001"


@pytest.mark.parametrize(
    ("image", "program"),
    [
        (PROPOSER, "import torch, proposer.commands.scan; torch.optim.AdamW(torch.nn.Linear(2, 1).parameters())"),
        (PROPOSER, METRICS),
        (PROPOSER, "from proposer.show.drawing import Figure; Figure().savefig('/tmp/picture.pdf')"),
        (BASE, f"import evaluator.commands.serve, evaluator.service.metrics; {METRICS}"),
    ],
)
def test_any_user_runs_it_on_a_read_only_root(image: str, program: str) -> None:
    docker("run", *HARDENED, "--entrypoint", "python", image, "-W", "error", "-c", program)
    assert "usage: " in docker("run", *HARDENED, image, "--help").stdout


def test_changing_the_physics_rebuilds_no_layer_of_the_proposer(project: Project) -> None:
    before = layers(PROPOSER)
    evaluator_before = layers(SIMSUSY)
    index = {"TORCH_INDEX": project.environment["TORCH_INDEX"]} if "TORCH_INDEX" in project.environment else {}
    assert project.build("Dockerfile.proposer", **index) == before

    with (project.folder / "locks/simsusy.txt").open("a") as lock:
        lock.write("six==1.17.0\n")
    with (project.folder / "evaluator/chain.py").open("a") as code:
        code.write("# another way to run a point\n")
    assert project.build("Dockerfile.proposer", **index) == before
    assert project.build("Dockerfile.evaluator", PHYSICS="simsusy") != evaluator_before

    # Check of this test: it sees a layer that does change.
    with (project.folder / "proposer/__init__.py").open("a") as code:
        code.write("# another proposer\n")
    changed = project.build("Dockerfile.proposer", **index)
    assert changed[:-1] == before[:-1]
    assert changed[-1] != before[-1]


def test_a_code_that_is_compiled_runs_and_its_compilers_are_gone(project: Project) -> None:
    docker(
        "build",
        "--quiet",
        "--file",
        "Dockerfile.evaluator",
        "--build-arg=PHYSICS=classy",
        "--tag=lodescan-evaluator:classy",
        ".",
        cwd=project.folder,
    )
    image = [*HARDENED, "--volume", f"{project.folder}/examples:/scan:ro", "lodescan-evaluator:classy"]
    assert "the file and its codes work" in docker("run", *image, "check", "/scan/classy_w0wa.yaml").stdout
    program = "import shutil; print(shutil.which('gcc'), shutil.which('make'))"
    said = docker("run", *HARDENED, "--entrypoint", "python", "lodescan-evaluator:classy", "-c", program).stdout
    assert said.strip() == "None None"
