"""Whole scans through compose, as a user starts them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from scanspec import read_scan_file
from tests.containers.conftest import GID, ROOT, UID, Project, docker, layers
from tests.pair.conftest import Points, read_run

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("images")]

T = TypeVar("T")
UP = ["up", "--no-color", "--no-log-prefix", "--exit-code-from", "proposer"]


def small(project: Project, name: str, physics: str, **values: object) -> None:
    """An example with other values, in its own folder, with the files that the example needs."""
    folder = project.folder / "my scans"
    shutil.copytree(project.folder / "examples", folder, dirs_exist_ok=True)
    text = (folder / name).read_text()
    for key, value in values.items():
        text, found = re.subn(rf"^(  {key}: *)\S+", rf"\g<1>{value}", text, flags=re.MULTILINE)
        assert found == 1, f"{name} has no {key}"
    (folder / name).write_text(text)
    project.variables |= {"FOLDER": str(folder), "SCAN": name, "PHYSICS": physics}


def toy(project: Project) -> None:
    small(project, "toy3d.yaml", "evaluator", points=20, candidate_points=1000, iterations=3)


def owners(folder: Path) -> set[tuple[int, int]]:
    return {(path.stat().st_uid, path.stat().st_gid) for path in folder.rglob("*")}


def good_points(run: Path) -> int:
    return len((run / "good_points.csv").read_text().splitlines()) - 1


def test_three_evaluators_work_with_one_image_of_the_proposer(project: Project) -> None:
    """The toy, the default scan and CAMB need three images of the evaluator and one of the proposer."""
    proposer = layers("lodescan-proposer")
    toy(project)
    project.compose(*UP)
    small(
        project,
        "simsusy_stau.yaml",
        "simsusy",
        points=3,
        threshold_value=500,
        bootstrap_points=40,
        candidate_points=500,
        points_per_iteration=20,
    )
    project.compose(*UP)
    small(project, "camb_w0wa.yaml", "camb", points=3, threshold_value=5000, bootstrap_points=40, candidate_points=500)
    project.compose(*UP, "--build")

    assert layers("lodescan-proposer") == proposer
    assert good_points(project.folder / "runs/toy3d") >= 20
    assert good_points(project.folder / "runs/simsusy_stau") >= 3
    assert good_points(project.folder / "runs/camb_w0wa") >= 3
    assert owners(project.folder / "runs") == {(UID, GID)}


def test_make_up_takes_the_environment_from_the_scan_file(project: Project) -> None:
    toy(project)
    scan = Path(project.variables.pop("FOLDER"), project.variables.pop("SCAN"))
    del project.variables["PHYSICS"]
    os.chown(project.folder / "runs", os.getuid(), os.getgid())
    done = make_up(project, scan)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert good_points(project.folder / "runs/toy3d") >= 20
    assert owners(project.folder / "runs") == {(os.getuid(), os.getgid())}
    assert "docker compose down" not in done.stdout

    scan.write_text(re.sub(r"seed: *\d+", "seed: 77", scan.read_text()))
    refused = make_up(project, scan)
    (said,) = [line for line in (refused.stdout + refused.stderr).splitlines() if "lodescan: " in line]
    assert "seed" in said
    assert "up] Error 2" in refused.stderr  # make names the exit code of the proposer, but does not return it


def test_an_image_that_cannot_be_built_says_why(project: Project) -> None:
    (project.folder / "locks/proposer.txt").write_text("no such thing\n")
    done = make_up(project, project.folder / "examples/toy3d.yaml")
    assert done.returncode == 2
    assert "ERROR" in done.stderr or "error" in done.stderr  # the installer's own message
    assert "the proposer's image could not be built; the lines above say why" in done.stderr


def make_up(project: Project, scan: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "up", f"SCAN={scan}"]
    return subprocess.run(
        command, cwd=project.folder, env=project.environment, text=True, capture_output=True, timeout=900, check=False
    )


def test_a_run_folder_that_cannot_be_written_gives_one_message_and_exit_code_2(project: Project) -> None:
    toy(project)
    os.chown(project.folder / "runs", 0, 0)
    (project.folder / "runs").chmod(0o755)
    done = project.compose(*UP, check=False)  # as `make up` does; its exit code is that of the proposer
    assert done.returncode == 2
    assert project.compose("ps", "--quiet").stdout == ""
    said = [line for line in (done.stdout + done.stderr).splitlines() if "lodescan: " in line]
    assert len(said) == 1
    assert "runs" in said[0] and f"user {UID}; for compose that is LODESCAN_USER" in said[0]
    assert "Traceback" not in done.stdout + done.stderr
    assert list((project.folder / "runs").iterdir()) == []


def test_after_a_plain_up_the_last_line_says_how_to_stop_and_there_is_a_report(
    project: Project, tmp_path: Path
) -> None:
    toy(project)
    project.override(report=True)
    log = tmp_path / "log"
    with log.open("w") as output:
        command = ["docker", "compose", "up", "--no-color"]
        up = subprocess.Popen(command, cwd=project.folder, env=project.environment, stdout=output, stderr=output)
    try:
        proposer = wait_for_container(project, "proposer")
        assert docker("wait", proposer).stdout.strip() == "0"
        evaluator = json.loads(docker("inspect", wait_for_container(project, "evaluator")).stdout)[0]
        assert evaluator["State"]["Running"]
        assert evaluator["HostConfig"]["PortBindings"] in ({}, None)
        assert not any(evaluator["NetworkSettings"]["Ports"].values())
        [network] = evaluator["NetworkSettings"]["Networks"]
        assert docker("network", "inspect", "--format", "{{.Internal}}", network).stdout.strip() == "true"

        def said() -> list[str]:
            text = re.sub(r"\x1b\[\d*[A-Za-z]", "", log.read_text())
            return [line for line in text.splitlines() if re.match(r"(proposer|evaluator)-\d+ +\| ", line)]

        done = "| the scan is done; stop the evaluator with: docker compose down"
        wait_until(lambda: any(line.endswith(done) for line in said()), "the hint was not shown")
        assert said()[-1].endswith(done), said()[-5:]
        assert (project.folder / "runs/toy3d/report.html").stat().st_size > 1_000_000
    finally:
        project.compose("down", "--timeout", "5", check=False)
        up.wait(60)


WAITS = """\
import time
from pathlib import Path


def observables(point):
    time.sleep(0.1)
    while point["x"] > 0.9 and not Path(__file__).with_name("go").exists():
        time.sleep(0.1)
    return {"r": point["x"]}
"""
WAITS_FILE = """\
setup: {run_name: waits, type: RANDOM, seed: 1, points: 100000, max_evaluations: 300}
variables: {x: [0, 1]}
codes:
  waits: {function: "waits:observables", timeout: 600, observables: {r: {mean: 0, sigma: 0.1}}}
"""


def test_replicas_of_the_evaluator_come_and_go(project: Project) -> None:
    """The commands of docs/many.md: one of four replicas is killed, and the number is raised to five. The scan cannot
    end before, because some points wait for a file.
    """
    page = (ROOT / "docs/many.md").read_text()
    start, kill, raised, logs = re.findall(r"^\$ docker (.*)$", page, re.MULTILINE)
    folder = project.folder / "my scans"
    folder.mkdir()
    (folder / "waits.py").write_text(WAITS)
    (folder / "waits.yaml").write_text(WAITS_FILE)
    project.variables |= {"FOLDER": str(folder), "SCAN": "waits.yaml", "PHYSICS": "evaluator"}
    project.override(report=False, probes="5s")  # five evaluators, probed every second, keep two cores busy
    project.compose(*start.split()[1:])
    proposer = wait_for_container(project, "proposer")

    def take_part(after: str = "") -> list[str]:
        said = docker("logs", proposer).stderr.partition(after)[2] if after else docker("logs", proposer).stderr
        return re.findall(r"the evaluator at (\S+) takes part", said)

    wait_until(lambda: len({*take_part()}) == 4, "four replicas did not take part")
    docker(*kill.replace("lodescan-", f"{project.environment['COMPOSE_PROJECT_NAME']}-").split())
    lost = "lost the evaluator"
    wait_until(lambda: lost in docker("logs", proposer).stderr, "the proposer did not notice")
    project.compose(*raised.split()[1:])
    wait_until(lambda: len(take_part(lost)) >= 2, "two more replicas did not take part")
    (folder / "go").touch()
    assert docker("wait", proposer).stdout.strip() == "0"
    assert lost in project.compose(*logs.split()[1:]).stdout
    points = stored(project.folder / "runs/waits", 1)
    assert len(points.ids) == len(set(points.ids)) == 300 and set(points.status) == {"OK"}


@pytest.mark.parametrize("service", ["evaluator", "proposer"])
def test_after_a_kill_the_same_command_loses_nothing(project: Project, service: str) -> None:
    small(
        project,
        "simsusy_stau.yaml",
        "simsusy",
        points=60,
        threshold_value=500,
        bootstrap_points=150,
        candidate_points=500,
        points_per_iteration=20,
    )
    project.compose("up", "--detach")
    dataset = project.folder / "runs/simsusy_stau/dataset.sqlite"
    proposer = wait_for_container(project, "proposer")
    wait_until(dataset.exists, "the scan did not start")
    wait_until(lambda: re.search(r" \d\d+ evaluated ", docker("logs", proposer, check=False).stderr), "no points came")
    project.compose("kill", "--signal", "KILL", service)

    def is_running() -> bool:
        return docker("inspect", "--format", "{{.State.Running}}", proposer).stdout.strip() == "true"

    if service == "evaluator":
        wait_until(lambda: "lost the evaluator" in docker("logs", proposer).stderr, "the proposer did not notice")
        assert is_running()
    else:
        wait_until(lambda: not is_running(), "the proposer was not killed")
    before = answers(project)
    assert len(before) >= 10
    project.compose("up", "--detach")
    assert docker("wait", wait_for_container(project, "proposer")).stdout.strip() == "0"
    assert good_points(project.folder / "runs/simsusy_stau") >= 3
    assert before.items() <= answers(project).items()


def answers(project: Project) -> dict[int, tuple[object, ...]]:
    """The stored points by id."""
    observables = len(read_scan_file(project.folder / "my scans/simsusy_stau.yaml").all_observables())
    points = stored(project.folder / "runs/simsusy_stau", observables)
    assert len(points.ids) == len(set(points.ids)) == len(set(points.params))
    return dict(zip(points.ids, zip(points.params, points.status, map(str, points.nll), strict=True), strict=True))


def stored(run: Path, observables: int) -> Points:
    """The stored points. Reads a copy, because SQLite makes files beside the dataset, which belong to root."""
    with tempfile.TemporaryDirectory() as folder:
        for path in run.glob("dataset.sqlite*"):
            shutil.copy(path, folder)
        return read_run(Path(folder), observables)


def wait_for_container(project: Project, service: str) -> str:
    def started() -> str:
        found = project.compose("ps", "--all", "--quiet", service, check=False).stdout.split()
        ran = found and docker("inspect", "-f", "{{.State.StartedAt}}", found[0]).stdout[:4] != "0001"
        return found[0] if ran else ""

    return wait_until(started, f"compose did not start {service}")


def wait_until(answer: Callable[[], T], otherwise: str, seconds: float = 120) -> T:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := answer():
            return found
        time.sleep(0.2)
    pytest.fail(otherwise)
