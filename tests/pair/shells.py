"""A shell that runs the commands of documents, each in the environment of its side."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
EVALUATOR = ("lodescan-evaluator", "lodescan-conformance")


@pytest.fixture
def shell(tmp_path):
    """Runs commands in a folder, those of lodescan in the environment of their side."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in (*EVALUATOR, "lodescan"):
        side = "evaluator" if name in EVALUATOR else "proposer"
        (bin_folder / name).symlink_to(ROOT / ".envs" / side / "bin" / name)
    (bin_folder / "pytest").write_text(f'#!/bin/sh\nexec "{ROOT}/.envs/evaluator/bin/python" -m pytest "$@"\n')
    (bin_folder / "pytest").chmod(0o755)
    folder = tmp_path / "reader"
    folder.mkdir()
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    servers = []

    address = f"127.0.0.1:{free_port()}"  # the port that the text names may be in use

    def run(command):
        command = command.replace("127.0.0.1:50051", address)
        command = re.sub(r"(lodescan-evaluator serve \S+)", rf"\1 --listen {address}", command)
        # A report takes seconds and is tested elsewhere.
        command = re.sub(r"(lodescan scan \S+)", rf"\1 --evaluator {address} --no-report", command)
        if command.endswith("&"):
            with (tmp_path / "served").open("wb") as log:
                servers.append(subprocess.Popen(command.rstrip("& ").split(), cwd=folder, env=environment, stdout=log))
            end = time.monotonic() + 60
            while b"points run in" not in (tmp_path / "served").read_bytes():
                assert servers[-1].poll() is None and time.monotonic() < end
                time.sleep(0.1)
            return ""
        if command.startswith("kill %1"):  # done at the end, because a later command of the text needs this evaluator
            assert servers[-1].poll() is None
            return ""
        done = subprocess.run(
            ["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    yield folder, run
    for server in servers:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
