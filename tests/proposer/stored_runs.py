"""Stored runs for tests, with every kind of row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from proposer.run.dataset import Dataset
from proposer.types import Batch, Outcome, Status
from tests.proposer.datasets import columns

FORMAT2 = Path(__file__).parents[1] / "data" / "format2"
"""A run of the last lodescan of format 2, which was killed before its end."""
FORMAT3 = FORMAT2.with_name("format3")
"""`run`: a run of an early lodescan of format 3, which stored no times and was killed before its end. `timed`: a
finished run of the last lodescan of format 3.
"""
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
    """Writes a run with every kind of row, and closes it in order."""
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
    """Everything that a resumed scan, an export and `status` read."""
    with Dataset(folder) as dataset:
        pending, checkpoint = dataset.pending(), dataset.latest_checkpoint()
        found: list[object] = [dataset.meta(), dataset.counts(), dataset.count_known(), checkpoint, dataset.batches]
        found += [part.tolist() for part in pending]
        for part in dataset.results():
            found += [x.tolist() if isinstance(x, np.ndarray) else [*map(str, x)] for x in part]
    return [str(message) for message in found]
