"""Memory of the proposer's dataset as points are stored: it must not grow. This process has only the dataset. A
strategy is not needed, because it learns from a bounded number of points.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from proposer.run.columns import Columns
from proposer.run.dataset import Dataset, Outcome
from proposer.types import Batch, Status

DIM, OBSERVABLES, BATCH = 5, 10, 1000


def memory_by_points(marks: tuple[int, ...]) -> list[tuple[int, float, float, float]]:
    """For each number of points: memory and disk in MiB, and microseconds a point since the previous number."""
    rng = np.random.default_rng(0)
    rows = []
    with tempfile.TemporaryDirectory() as folder, Dataset(folder) as dataset:
        dataset.start(Columns.named([f"x{k}" for k in range(DIM)], [f"y{k}" for k in range(OBSERVABLES)], ["code"]))
        stored, start, since = 0, time.perf_counter(), 0
        for mark in marks:
            while stored < mark:
                u = rng.random((BATCH, DIM))
                added = dataset.add_batch(Batch(u, ["bench"] * BATCH, stored // BATCH), u, b"")
                values = rng.random(OBSERVABLES).tolist()
                dataset.record(
                    [
                        Outcome(i, Status.OK, nll=1.0, observables=values, losses=values, seconds=[0.1])
                        for i in added.ids.tolist()
                    ]
                )
                stored += BATCH
            seconds = time.perf_counter() - start
            disk = sum(path.stat().st_size for path in Path(folder).iterdir())
            rows.append((stored, _resident(), disk / 2**20, 1e6 * seconds / (stored - since)))
            start, since = time.perf_counter(), stored
    return rows


def _resident() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS in /proc/self/status")
