"""Runs, in order, the commands of docs/backends.md that need a container engine."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.containers.conftest import ROOT, Project
from tests.pair.test_backends_doc import BLOCK
from tests.ports import free_port

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("engine")]

TEXT = (ROOT / "docs/backends.md").read_text()
NEW = next(line[2:] for line in TEXT.splitlines() if line.startswith("$ lodescan-evaluator new "))
COMMANDS = next(block["text"] for block in BLOCK.finditer(TEXT) if "docker build" in block["text"]).splitlines()
CONFORMANCE = next(line[2:] for line in TEXT.splitlines() if line.startswith("$ lodescan-conformance "))
SIDES = {"lodescan-evaluator": "evaluator", "lodescan-conformance": "evaluator", "lodescan": "proposer"}


def environment(folder: Path) -> dict[str, str]:
    """Variables with which a shell finds each command of lodescan in the environment of its side."""
    folder.mkdir()
    for name, side in SIDES.items():
        (folder / name).symlink_to(ROOT / ".envs" / side / "bin" / name)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_the_backend_of_the_text_runs_in_an_image_and_is_scanned(project: Project, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"  # the port that the text names may be in use
    commands_of = environment(tmp_path / "bin")
    background: list[subprocess.Popen[bytes]] = []

    def run(command: str) -> str:
        command = command.replace("127.0.0.1:50051", address)
        command = re.sub(r"(lodescan scan \S+)", rf"\1 --evaluator {address}", command)
        if command.endswith("&"):
            background.append(subprocess.Popen(command.rstrip("& ").split(), cwd=project.folder, env=commands_of))
            return ""
        done = subprocess.run(  # the user of the image must read what a reader with a strict umask has written
            ["sh", "-c", command],
            cwd=project.folder,
            env=commands_of,
            umask=0o077,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    kinds = [" ".join(command.split()[:2]) for command in COMMANDS]
    assert kinds == ["docker build", "docker build", "docker run", "lodescan scan"]
    try:
        for command in (NEW, *COMMANDS):
            run(command)
        assert "darkphoton passes" in run(CONFORMANCE)
    finally:
        for process in background:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in background]
    assert codes == [0]

    # The file in the folder of the backend is the one that the text shows.
    dockerfile = (project.folder / "darkphoton/Dockerfile").read_text()
    assert COMMANDS[0] in dockerfile and COMMANDS[2].rstrip("& ") in dockerfile
    with (project.folder / "runs/darkphoton/good_points.csv").open() as file:
        good = [float(row["amu"]) for row in csv.DictReader(file)]
    assert len(good) >= 200
    assert all(abs(amu - 2.49e-9) <= 0.48e-9 for amu in good)  # within one sigma, as the file asks
