"""A strategy whose every batch depends on all that it was told, and a scan of it in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from proposer.loop import Limits, Scan
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.run.tables import GoodPoints
from proposer.show.progress import Progress
from proposer.show.tally import read_tally
from proposer.space import Space
from proposer.strategies.base import Strategy, generator
from proposer.target import Target
from proposer.types import Batch, Outcome, Status, Told
from proposer.wire.pool import Pool
from scanspec import read_scan_file

THRESHOLD, BATCH = 2.0, 8


class Steps:
    """Steps from the best point told so far, so that each batch depends on all earlier answers."""

    lag = 1
    eager = True
    start_points, training_seconds = 0, 0.0
    stop_reason = ""

    def __init__(self, thinks: float = 0.0) -> None:
        self.good = self.asked = 0
        self.seen: list[list[int]] = []  # the batches told before each ask
        self.seen_ids: list[list[int]] = []  # the points told before each ask
        self.least: list[int] = []
        self.busy: list[tuple[float, float]] = []
        self._thinks = thinks
        self._told: list[int] = []
        self.told_ids: list[int] = []
        self._best, self._nll = np.full(3, 0.5), np.inf

    def ask(self, least: int = 1) -> Batch:
        self.asked += 1
        start = time.monotonic()
        time.sleep(self._thinks)
        self.busy.append((start, time.monotonic()))
        self.seen.append(list(self._told))
        self.seen_ids.append(list(self.told_ids))
        self.least.append(least)
        n = max(BATCH, least)
        u = generator(1, self.asked, "steps").normal(self._best, 0.3, (n, 3)).clip(0, 1)
        return Batch(u, ["step"] * n, self.asked)

    def tell(self, told: Told) -> None:
        self._told.append(int(told.batches[0]))
        self.told_ids += told.ids.tolist()
        ok = told.status == Status.OK
        self.good += int((told.nll[ok] < THRESHOLD).sum())
        if ok.any() and told.nll[ok].min() < self._nll:
            self._best, self._nll = told.u[ok][told.nll[ok].argmin()], told.nll[ok].min()

    def checkpoint(self) -> bytes:
        return str(self.asked).encode()

    def restore(self, data: bytes) -> None:
        self.asked = int(data)


def run(file: Path, address: str, folder: Path, strategy: Strategy, evaluations: float, eager: bool = False) -> str:
    """Starts a scan or goes on with it, up to so many evaluations."""
    pool = Pool([address], say=print)
    try:
        description, space = pool.describe(20.0), Space(read_scan_file(file).variables)
        with Dataset(folder) as dataset:
            if not dataset.meta():
                dataset.start(Columns.named(space.names, ["r"], description.codes), {"seconds": 0.0})
            tally = read_tally(dataset, 10_000, Target(THRESHOLD), evaluations)
            good = GoodPoints(folder / "good_points.csv", list(space.names), ["r"], Target(THRESHOLD))
            limits = Limits(10_000, evaluations, np.inf)
            return Scan(
                dataset=dataset,
                strategy=strategy,
                space=space,
                backend=pool,
                good_points=good,
                limits=limits,
                tally=tally,
                progress=Progress(tally),
                wait=20.0,
                eager=eager,
            ).run()
    finally:
        pool.close()


def record_times(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A list of the times at which results are stored; it grows with each message of results."""
    stored: list[float] = []
    record = Dataset.record

    def noted(dataset: Dataset, results: Sequence[Outcome]) -> int:
        stored.append(time.monotonic())
        return record(dataset, results)

    monkeypatch.setattr(Dataset, "record", noted)
    return stored
