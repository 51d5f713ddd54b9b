"""Stored runs for tests, with everything that a row may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from proposer.run.dataset import Dataset
from proposer.types import Batch, Outcome, Status
from tests.proposer.datasets import columns

FORMAT2 = Path(__file__).parents[1] / "data" / "format2"
"""A run that the last lodescan of format 2 stored, killed on its way."""
FORMAT3 = FORMAT2.with_name("format3")
"""`run`: of a lodescan of format 3 that knew no times, killed on its way; `timed`: of the last one, finished."""
SCAN = """\
variables: {v0: [0, 100], v1: [0, 100]}
codes: {c0: {function: "a:b", observables: {o0: {mean: 1, sigma: 1}, o1: {}, o2: {}}}}
"""
META = {
    "variables": ["v0", "v1"],
    "observables": ["o0", "o1", "o2"],
    "codes": ["c0", "c1"],
    "points": 9,
    "threshold": 2.0,
    "seconds": 1.0,
    "seed": 1,
    "backend": "b",
}


def filled(folder: Path, batches: int = 12) -> None:
    """A run with everything that a row may hold, closed in order."""
    with Dataset(folder) as dataset:
        dataset.start(columns(), META)
        rng = np.random.default_rng(0)
        for number in range(batches):
            u = rng.random((15, 2))
            added = dataset.add_batch(Batch(u, ["random"] * 15, number), u * 100, rng.bytes(3000))
            if number == batches - 1:
                dataset.add_attempt(added.ids.tolist()[:3])
                continue
            dataset.record(
                [
                    Outcome(
                        int(point),
                        Status.OK,
                        nll=float(nll),
                        observables=[*rng.random(3)],
                        losses=[*rng.random(3)],
                        seconds=[0.1, 0.2],
                    )
                    if nll > 0.3
                    else Outcome(
                        int(point),
                        Status.FAILED,
                        nll=None,
                        observables=(),
                        losses=(),
                        seconds=[0.1],
                        failed_code="c0",
                        message="no convergence",
                        warnings=["a doubt"],
                    )
                    for point, nll in zip(added.ids, rng.random(15), strict=True)
                ]
            )


def everything(folder: Path) -> list[object]:
    """All that a scan which goes on, an export and a status read."""
    with Dataset(folder) as dataset:
        pending, checkpoint = dataset.pending(), dataset.latest_checkpoint()
        found: list[object] = [dataset.meta(), dataset.counts(), dataset.count_known(), checkpoint, dataset.batches]
        found += [part.tolist() for part in pending]
        for part in dataset.results():
            found += [x.tolist() if isinstance(x, np.ndarray) else [*map(str, x)] for x in part]
    return [str(message) for message in found]
