"""Starts an evaluator for a benchmark and measures what a batch of points costs on both sides."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proposer.evaluation.work import Work
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.types import Batch
from proposer.wire.pool import Pool

EVALUATOR = Path(".envs/evaluator/bin/python")
NAMES = ["x", "y", "z", "w"]

FREE_CODE = 'def free(point):\n    return {"cost": point["x"]}\n'
FREE = """
setup: {run_name: free}
variables: {x: [0, 1], y: [0, 1], z: [0, 1], w: [0, 1]}
codes:
  free: {function: "bench_free:free", observables: {cost: {scaling: MINUSEXPUSER}}}
"""
COPY = """
setup: {run_name: copy}
variables: {x: [0, 1], y: [0, 1], z: [0, 1], w: [0, 1]}
codes:
  copy:
    command: cp {input} {output}
    input_file: bench.slha
    observables: {cost: {slha: [BENCH, 1], scaling: MINUSEXPUSER}}
"""
TEMPLATE = "BLOCK BENCH\n  1  x\n  2  y\n  3  z\n  4  w\n"


@dataclass(frozen=True)
class Cost:
    """Microseconds a point: wall time, and the CPU of the proposer, of the server, and of its workers with their
    programs.
    """

    wall: float
    proposer: float
    server: float
    workers: float

    @property
    def cpu(self) -> float:
        """The CPU of all processes."""
        return self.proposer + self.server + self.workers


@contextlib.contextmanager
def serving(
    scan: str, workers: int, code: tuple[str, str] = ("bench_free.py", FREE_CODE)
) -> Iterator[tuple[Pool, int]]:
    """Starts an evaluator for the text of a scan file, and the name and text of its code; gives a pool of it, and its
    process id.
    """
    with evaluators(scan, workers, code, number=1) as ((address,), (pid,)):
        pool = Pool([address], say=print)
        yield pool, pid
        pool.close()


@contextlib.contextmanager
def evaluators(scan: str, workers: int, code: tuple[str, str], *, number: int) -> Iterator[tuple[list[str], list[int]]]:
    """Starts so many evaluators of one scan; gives their addresses and process ids."""
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        (folder / "scan.yaml").write_text(scan)
        (folder / code[0]).write_text(code[1])
        (folder / "bench.slha").write_text(TEMPLATE)
        scan_file, files = folder / "scan.yaml", [folder / f"address{k}" for k in range(number)]
        started = [opened.enter_context(evaluator_process(scan_file, file, workers)) for file in files]
        addresses = [address_of(*one) for one in zip(started, files, strict=True)]
        yield addresses, [process.pid for process in started]


@contextlib.contextmanager
def evaluator_process(
    scan: Path, address: Path, workers: int, python: Path = EVALUATOR
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts an evaluator of a scan file, which writes where it answers into the file `address`."""
    command = [str(python), "-m", "evaluator", "serve", str(scan), "--listen", "127.0.0.1:0"]
    command += ["--workers", str(workers), "--address-file", str(address)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def address_of(process: subprocess.Popen[bytes], file: Path) -> str:
    """Waits until the evaluator answers."""
    deadline = time.monotonic() + 300
    while not file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the evaluator did not start: {process.args!r}")
        time.sleep(0.02)
    return file.read_text().strip()


@contextlib.contextmanager
def temporary_dataset() -> Iterator[Dataset]:
    """A dataset on the disk that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder, Dataset(folder) as dataset:
        yield dataset


def measure(scan: str, workers: int, batch: int, points: int) -> Cost:
    """Cost of a point that goes from a batch in the dataset through the evaluator back into the dataset."""
    rng = np.random.default_rng(0)
    with serving(scan, workers) as (evaluator, pid), temporary_dataset() as dataset:
        description, work = evaluator.describe(10.0), Work(NAMES)
        dataset.start(
            Columns.named(NAMES, [observable.name for observable in description.observables], description.codes)
        )

        def run(count: int, iteration: int) -> None:
            u = rng.random((count, len(NAMES)))
            added = dataset.add_batch(Batch(u, ["bench"] * count, iteration), u, b"")
            work.add(added.pending, count)
            for received in evaluator.evaluate(work, wait=60.0, until=float("inf")):
                dataset.record(received.outcomes)

        run(min(batch, 64), 0)  # opens connections, and lets gRPC's windows grow
        gc.collect()
        gc.freeze()  # as a scan does
        before, start = cpu_of(pid), time.perf_counter()
        rounds = max(1, points // batch)
        for iteration in range(rounds):
            run(batch, iteration + 1)
        wall, after = time.perf_counter() - start, cpu_of(pid)
    scale = 1e6 / (rounds * batch)
    proposer, server, others = (scale * (b - a) for a, b in zip(before, after, strict=True))
    return Cost(scale * wall, proposer, server, others)


def cpu_of(server: int) -> tuple[float, float, float]:
    """Seconds of CPU so far of this process, of the server, and of all its descendants, including those that have
    ended.
    """
    own = os.times()
    tick = os.sysconf("SC_CLK_TCK")
    total = {"server": 0.0, "others": 0.0}
    for pid in _descendants(server):
        with contextlib.suppress(OSError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            itself, waited_for = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
            total["server" if pid == server else "others"] += itself / tick
            total["others"] += waited_for / tick if pid != server else 0.0
    return own.user + own.system, total["server"], total["others"]


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                found += _descendants(int(child))
    return found
