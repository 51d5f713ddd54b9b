"""Runs the commands of the pages on metrics, logs and traces, and on the certificates of evaluators."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.evaluator.serving import wait_until
from tests.pair.processes import ROOT
from tests.ports import free_port

SLOW = """\
setup: {run_name: slow, type: RANDOM, seed: 1, points: 1000000}
variables: {x: [0, 1]}
codes: {slow: {function: slow:observables, observables: {y: {mean: 0.5, sigma: 0.1}}}}
networks: {threshold_value: 0.5}
"""
SLOW_CODE = """\
import time

def observables(point):
    time.sleep(0.1)
    return {"y": point["x"]}
"""
SIDES = {"lodescan": "proposer", "lodescan-evaluator": "evaluator"}


def commands(page: str) -> list[str]:
    return re.findall(r"^\$ (.*)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)


class Started:
    """A command that is running, with what it has said so far."""

    def __init__(self, command: str, folder: Path) -> None:
        program, *words = shlex.split(command)
        self._log = folder / f"log{len(list(folder.glob('log*')))}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [ROOT / ".envs" / SIDES[program] / "bin" / program, *words], cwd=folder, stdout=log, stderr=log
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def until(self, words: str) -> str:
        """What it has said as soon as these words (a regular expression) are part of it."""
        assert wait_until(lambda: re.search(words, self.said) or self._process.poll() is not None, 60), self.said
        assert re.search(words, self.said), self.said
        return self.said

    def end(self) -> int:
        self._process.terminate()
        return self._process.wait(60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("slow.yaml", "scan.yaml"):
        (tmp_path / name).write_text(SLOW)
    (tmp_path / "slow.py").write_text(SLOW_CODE)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[str], Started]]:
    with ExitStack() as ends:

        def start(command: str) -> Started:
            started = Started(command, folder)
            ends.callback(started.end)
            return started

        yield start


@pytest.mark.slow
def test_the_commands_on_the_page_on_metrics_logs_and_traces_work(
    folder: Path, start: Callable[[str], Started]
) -> None:
    page = (ROOT / "docs/observing.md").read_text()
    ports = {named: str(free_port()) for named in ("9465", "9464", "4318")}
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]

    def at(command: str, address: str = addresses[0]) -> str:
        for named, free in ports.items():
            command = command.replace(named, free)
        more = f"--listen {address}" if "serve" in command else f"--evaluator {address}"
        return command if command.startswith("curl") else f"{command} {more}"

    served, measured, curl, logged, traced, told = commands("observing.md")
    start(at(served)).until("points run in")
    scan = start(at(measured))
    scan.until("metrics: http://")

    def metrics() -> str:
        return subprocess.run(["sh", "-c", at(curl)], capture_output=True, text=True, check=False).stdout

    assert wait_until(lambda: 'status="OK"' in metrics() and "lodescan_good_points 0" not in metrics(), 60)
    shown = re.findall(r"^(lodescan_\w+)[{ ]", page, re.MULTILINE)
    assert len(shown) > 6 and all(re.search(rf"^{name}\b", metrics(), re.MULTILINE) for name in shown)
    scan.end()

    events = [json.loads(line) for line in re.findall(r'^\{"time".*\}$', page, re.MULTILINE)]
    scan = start(f"{at(logged)} --run runs/logged")
    lines = [
        json.loads(line) for line in scan.until(r'"event": "point".*\n').splitlines(keepends=True) if "}\n" in line
    ]
    scan.end()
    for event in events:
        assert any(line.keys() == event.keys() for line in lines if line["event"] == event["event"]), event

    start(at(traced, addresses[1])).until("points run in")
    start(f"{at(told, addresses[1])} --run runs/traced").until("the collector at .* takes no spans")


@pytest.mark.slow
def test_the_commands_on_the_page_on_evaluators_work(folder: Path, start: Callable[[str], Started]) -> None:
    serve, certificates = commands("evaluators.md")
    page = (ROOT / "docs/evaluators.md").read_text()
    program, *words = certificates.split()
    made = subprocess.run(
        [ROOT / ".envs/proposer/bin" / program, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    assert made.stdout in page and made.stdout.count("\n") == 4
    of_evaluator, of_proposer = re.findall(r"--tls-ca .*", made.stdout)
    pool = folder / "pool"
    start(serve.replace("/shared/pool", str(pool)).replace("...", of_evaluator)).until("points run in")
    assert wait_until(lambda: list(pool.glob("*.evaluator")), 30)
    scan = start(f"lodescan scan scan.yaml --evaluator dir:{pool} {of_proposer}")
    scan.until(r"[1-9]\d* of 1,000,000 good")
