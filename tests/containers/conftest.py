"""An engine, the images, and a copy of the project to run compose in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PARTS = ["compose.yaml", ".dockerignore", "Dockerfile.proposer", "Dockerfile.evaluator", "Makefile", "tools"]
PARTS += ["locks", "proto", "scanspec", "proposer", "evaluator", "examples"]
UID, GID = 12345, 23456  # no user of any image has these ids
HARDENED = ["--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "none"]
HARDENED += ["--user", f"{UID}:{GID}"]


def docker(*arguments: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    command = ["docker", *arguments]
    done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
        command, text=True, capture_output=True, timeout=1500, check=False, **options
    )
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done


@dataclass
class Project:
    """A copy of the project with its own runs/, which is one compose project."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        own = {"COMPOSE_PROJECT_NAME": self.folder.name, "LODESCAN_USER": f"{UID}:{GID}"}
        return os.environ | own | self.variables

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return docker("compose", *arguments, check=check, cwd=self.folder, env=self.environment)

    def override(self, *, report: bool, probes: str = "1s") -> None:
        """Makes scans quicker: the first probe of the evaluator, for which the proposer waits, comes after 1 s instead
        of 5 s. Without `report`, the scan writes no report. `probes`: the time between two probes.
        """
        scan = YAML(typ="safe").load(self.folder / "compose.yaml")["services"]["proposer"]["command"]
        services = {
            "evaluator": {"healthcheck": {"interval": probes, "retries": 60}},
            "proposer": {"command": scan if report else [*scan, "--no-report"]},
        }
        (self.folder / "compose.override.yaml").write_text(json.dumps({"services": services}))

    def build(self, dockerfile: str, **build_arguments: str) -> list[str]:
        """Builds one image; gives its layers."""
        options = [f"--build-arg={name}={value}" for name, value in build_arguments.items()]
        image = docker("build", "--quiet", "--file", dockerfile, *options, ".", cwd=self.folder).stdout.strip()
        return layers(image)


def layers(image: str) -> list[str]:
    found: list[str] = json.loads(docker("image", "inspect", image).stdout)[0]["RootFS"]["Layers"]
    return found


@pytest.fixture(scope="session")
def engine() -> None:
    if shutil.which("docker") is None or docker("info", check=False).returncode != 0:
        pytest.fail("no container engine answers to `docker info`: start one, or leave these tests out", pytrace=False)


@pytest.fixture(scope="session")
def images(engine: None) -> None:
    """Both images of the default scan, and the evaluator's base."""
    environment = os.environ | {"PHYSICS": "evaluator"}
    docker("compose", "build", cwd=ROOT)
    docker("compose", "build", "evaluator", cwd=ROOT, env=environment)


@pytest.fixture
def project(engine: None, tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / f"lodescan{os.getpid()}-{time.monotonic_ns()}"  # compose names the project after this folder
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    (folder / "runs").mkdir()
    os.chown(folder / "runs", UID, GID)
    for parent in (folder, *folder.parents):  # only their owner may read pytest's folders
        if parent.name.startswith("pytest"):
            parent.chmod(0o755)
    made = Project(folder)
    made.override(report=False)
    yield made
    made.compose("down", "--volumes", "--timeout", "5", check=False)
