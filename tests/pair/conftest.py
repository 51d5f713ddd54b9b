"""Scan files, evaluators and proposers as real processes, and runs that are read back. The proposer runs in this
environment, evaluators in theirs. Everything listens on loopback.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proposer.__main__ import main
from proposer.run.dataset import Dataset
from proposer.types import Status
from tests.evaluator.serving import ServeProcess
from tests.pair.processes import ROOT, START, LoggedProcess, MakeScanProcess, ProposerProcess, quickly
from tests.proposer.conftest import quick

__all__ = ["quick"]  # a fixture

SCAN = """\
setup:
  run_name: ball
  points: {points}
{setup}
variables:
  x: {{range: [0, 1]}}
  y: {{range: [-2, 2]}}
  z: {{range: [10, 1000], prior: log-uniform}}
codes:
  ball:
    function: physics:observables
    timeout: {timeout}
    observables:
      r: {{scaling: {scaling}, mean: {mean}, sigma: {sigma}}}
{observables}
networks:
  threshold_value: 2
  bootstrap_points: {bootstrap}
  candidate_points: 400
  points_per_iteration: {batch}
  iterations: {iterations}
  neurons: 12
  epochs: 4
  batch_size: 256
{networks}
"""

PHYSICS = """\
import math
import os
import signal
import time
from pathlib import Path

from evaluator import InvalidPoint

LOG = os.open(Path(__file__).with_name("evaluations.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def observables(point):
    x, y, z = point["x"], point["y"], point["z"]
    os.write(LOG, f"{x!r} {y!r} {z!r}\\n".encode())
    BODY
    return {"r": math.hypot(x - 0.5, y / 4, math.log10(z) / 2 - 1.0)}
"""


@dataclass
class ScanFolder:
    """A scan file with its physics beside it. The physics logs every point that it begins."""

    folder: Path
    values: dict[str, Any] = field(default_factory=dict)
    body: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.physics(self.body)
        self.write()

    @property
    def file(self) -> Path:
        return self.folder / "scan.yaml"

    @property
    def log(self) -> Path:
        return self.folder / "evaluations.log"

    def physics(self, body: str) -> None:
        indented = textwrap.indent(textwrap.dedent(body).strip() or "pass", "    ").strip()
        (self.folder / "physics.py").write_text(PHYSICS.replace("BODY", indented))

    def write(self, **changes: Any) -> Path:
        """Writes the scan file again with some values changed."""
        defaults = {
            "points": 100_000,
            "setup": "  seed: 1",
            "scaling": "GAUSS",
            "mean": 0,
            "sigma": 0.1,
            "bootstrap": 60,
            "batch": 40,
            "iterations": 3,
            "observables": "",
            "networks": "",
            "timeout": 60,
        }
        self.values |= changes
        values = {**defaults, **self.values}
        if "type:" not in values["setup"].lower():
            values["setup"] += "\n  type: MLS_DNNC"
        self.file.write_text(SCAN.format(**values))
        return self.file

    def replace(self, old: str, new: str) -> Path:
        """Replaces a piece of the scan file, which must be there exactly once."""
        text = self.file.read_text()
        assert text.count(old) == 1, old
        self.file.write_text(text.replace(old, new))
        return self.file

    def until_begun(self, points: int, scan: LoggedProcess) -> None:
        """Waits until the physics has begun so many points; the process of the scan must not end before."""
        scan.runs_until(lambda: len(self.evaluated()) >= points)

    def evaluated(self) -> list[tuple[float, ...]]:
        """The points that the physics has begun, in order; a point that began twice is there twice."""
        if not self.log.exists():
            return []
        return [tuple(float(word) for word in line.split()) for line in self.log.read_text().splitlines()]


@pytest.fixture
def make_scan(tmp_path: Path) -> Callable[..., ScanFolder]:
    def make(name: str = "scan", body: str = "", **values: Any) -> ScanFolder:
        return ScanFolder(tmp_path / name, values, body)

    return make


class EvaluatorProcess(ServeProcess):
    """An evaluator in its own environment, in the background."""

    def __init__(
        self, file: Path, where: Path, *, workers: int = 2, environment: str = "evaluator", before: str = ""
    ) -> None:
        where.mkdir(parents=True, exist_ok=True)
        self.file = file
        super().__init__(
            file,
            where / "log",
            python=ROOT / f".envs/{environment}/bin/python",
            options=["--workers", str(workers), "--grace", "0.5"],
            before=before,
            patience=START,
        )

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def restart(self) -> None:
        """Starts it again at the same address."""
        self.start(self.port)


@pytest.fixture
def start_evaluator(tmp_path: Path) -> Iterator[Callable[..., EvaluatorProcess]]:
    started: list[EvaluatorProcess] = []

    def start(file: Path, **options: Any) -> EvaluatorProcess:
        started.append(EvaluatorProcess(file, tmp_path / f"evaluator{len(started)}", **options))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScanFolder, EvaluatorProcess]]:
    """A scan of quick points and its evaluator. No test may change them."""
    folder = tmp_path_factory.mktemp("shared")
    scan = ScanFolder(folder / "scan")
    evaluator = EvaluatorProcess(scan.file, folder / "evaluator")
    yield scan, evaluator
    evaluator.stop()


@dataclass(frozen=True)
class Said:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


def json_lines(text: str) -> list[dict[str, Any]]:
    """The objects of a text in which each line is one."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def start_make_scan(tmp_path: Path) -> Iterator[Callable[..., MakeScanProcess]]:
    started: list[MakeScanProcess] = []

    def start(file: Path, run: Path) -> MakeScanProcess:
        started.append(MakeScanProcess(tmp_path / f"make{len(started)}.log", file, run))
        return started[-1]

    yield start
    for process in started:
        for pid in process.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.process.wait()


@pytest.fixture
def start_proposer(tmp_path: Path) -> Iterator[Callable[..., ProposerProcess]]:
    started: list[ProposerProcess] = []

    def start(*arguments: object) -> ProposerProcess:
        started.append(ProposerProcess(tmp_path / f"proposer{len(started)}.log", *arguments))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()


@contextlib.contextmanager
def torch_as_before() -> Iterator[None]:
    """For commands in this process, which has imported torch already."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(0)


@pytest.fixture
def lodescan(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Said]]:
    """Runs a command in this process."""

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        try:
            code = main(quickly(*arguments))
        except SystemExit as error:  # argparse exits
            code = int(error.code or 0)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    with torch_as_before():
        yield run


@dataclass(frozen=True)
class Points:
    """The answered points of a run, by id."""

    ids: list[int]
    batches: list[int]
    origins: list[str]
    params: list[tuple[float, ...]]
    status: list[str]
    nll: list[float]
    observables: np.ndarray[Any, Any]
    losses: np.ndarray[Any, Any]
    attempts: list[int]
    message: list[str]

    def history(self) -> list[tuple[object, ...]]:
        """The rows that must be equal in two runs with the same seed."""
        nll = [None if value != value else value for value in self.nll]
        return list(zip(self.ids, self.batches, self.origins, self.params, self.status, nll, strict=True))


def read_run(folder: Path, observables: int = 1) -> Points:
    """Reads the dataset of a run, even while a proposer writes it."""
    with Dataset(folder, read_only=True) as dataset:
        parts = list(dataset.results())
    joined: dict[str, Any] = {name: [] for name in Points.__dataclass_fields__}
    for part in parts:
        for name in ("ids", "batches", "nll", "attempts"):
            joined[name] += getattr(part, name).tolist()
        for name in ("observables", "losses"):
            joined[name].append(getattr(part, name))
        joined["origins"] += part.origins
        joined["message"] += part.message
        joined["params"] += [tuple(row) for row in part.params.tolist()]
        joined["status"] += [Status(status).name for status in part.status]
    for name in ("observables", "losses"):
        joined[name] = np.concatenate(joined[name]) if joined[name] else np.empty((0, observables))
    return Points(**joined)


def meta(folder: Path) -> dict[str, Any]:
    with Dataset(folder, read_only=True) as dataset:
        return dataset.meta()


def contents(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder, to check that nothing changes. Files that SQLite makes for reading are
    left out: its shared memory, and an empty log.
    """
    files = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    read = {str(name): path.read_bytes() for name, path in files.items() if not name.name.endswith("-shm")}
    return {name: content for name, content in read.items() if content or not name.endswith("-wal")}


@contextlib.contextmanager
def environment(**variables: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
