"""A strategy with a lag thinks while codes run, and asks for the same points however fast they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from proposer.dataset import Dataset
from proposer.evaluators import Evaluator
from proposer.progress import Progress
from proposer.rows import Outcome
from proposer.scan import Limits, Scan, read_tally
from proposer.space import Space
from proposer.strategies.base import Batch, Status, Told, generator
from proposer.tables import GoodPoints
from scanspec import read_scan_file
from tests.pair.conftest import EvaluatorProcess, ScanFolder, read_run

THRESHOLD, BATCH = 2.0, 8


class Steps:
    """Steps from the best point told so far, so that each batch depends on all that was seen."""

    lag = 1
    eager = True
    stop_reason = ""

    def __init__(self, thinks: float = 0.0) -> None:
        self.good = self.asked = 0
        self.seen: list[list[int]] = []  # the batches told before each ask
        self.busy: list[tuple[float, float]] = []
        self._thinks = thinks
        self._told: list[int] = []
        self._best, self._nll = np.full(3, 0.5), np.inf

    def ask(self, k: int, least: int = 1) -> Batch:
        self.asked += 1
        start = time.monotonic()
        time.sleep(self._thinks)
        self.busy.append((start, time.monotonic()))
        self.seen.append(list(self._told))
        u = generator(1, self.asked, "steps").normal(self._best, 0.3, (BATCH, 3)).clip(0, 1)
        return Batch(u, ["step"] * BATCH, self.asked)

    def tell(self, told: Told) -> None:
        self._told.append(int(told.batches[0]))
        ok = told.status == Status.OK
        self.good += int((told.nll[ok] < THRESHOLD).sum())
        if ok.any() and told.nll[ok].min() < self._nll:
            self._best, self._nll = told.u[ok][told.nll[ok].argmin()], told.nll[ok].min()

    def checkpoint(self) -> bytes:
        return str(self.asked).encode()

    def restore(self, data: bytes) -> None:
        self.asked = int(data)


def run(file: Path, address: str, folder: Path, strategy: Steps, evaluations: float) -> str:
    evaluator = Evaluator(address, insecure=False, say=print)
    try:
        description, space = evaluator.describe(20.0), Space(read_scan_file(file).variables)
        with Dataset(folder) as dataset:
            tally = read_tally(dataset, 10_000, THRESHOLD, evaluations)
            good = GoodPoints(folder / "good_points.csv", list(space.names), ["r"], THRESHOLD)
            limits = Limits(10_000, evaluations, np.inf)
            parts = dataset, strategy, space, evaluator, description, good, limits, tally, Progress(tally), 20.0
            return Scan(*parts).run()
    finally:
        evaluator.close()


@pytest.fixture
def evaluator(
    make_scan: Callable[..., ScanFolder], start_evaluator: Callable[..., EvaluatorProcess]
) -> Callable[..., tuple[Path, str]]:
    def make(name: str, body: str = "", workers: int = 2) -> tuple[Path, str]:
        file = make_scan(name, body).file
        return file, start_evaluator(file, workers=workers).address

    return make


def test_an_ask_sees_all_batches_but_the_last(evaluator: Callable[..., tuple[Path, str]], tmp_path: Path) -> None:
    histories = []
    for workers, body in ((1, ""), (3, "time.sleep(0.02 * (int(x * 1000) % 3))")):
        strategy, folder = Steps(), tmp_path / f"run{workers}"
        reason = run(*evaluator(f"scan{workers}", body, workers), folder, strategy, 10 * BATCH)
        assert reason == f"{10 * BATCH} points evaluated (max_evaluations)"
        assert strategy.seen == [list(range(1, max(number - 1, 1))) for number in range(1, 11)]
        histories.append(read_run(folder).history())
    assert histories[0] == histories[1]


@pytest.mark.slow
def test_a_scan_in_pieces_is_the_scan_in_one(evaluator: Callable[..., tuple[Path, str]], tmp_path: Path) -> None:
    file, address = evaluator("scan")
    run(file, address, tmp_path / "whole", Steps(), 8 * BATCH)
    for most in (3, BATCH, 2 * BATCH + 5, 3 * BATCH, 7 * BATCH + 1, 8 * BATCH, 8 * BATCH):
        run(file, address, tmp_path / "cut", Steps(), most)
        assert len(read_run(tmp_path / "cut").ids) == most
    assert read_run(tmp_path / "cut").history() == read_run(tmp_path / "whole").history()


@pytest.mark.slow
def test_results_are_stored_while_the_strategy_thinks(
    evaluator: Callable[..., tuple[Path, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[float] = []
    record = Dataset.record

    def noted(dataset: Dataset, results: Sequence[Outcome]) -> int:
        stored.append(time.monotonic())
        return record(dataset, results)

    monkeypatch.setattr(Dataset, "record", noted)
    strategy = Steps(thinks=1.0)
    run(*evaluator("scan", "time.sleep(0.1)"), tmp_path / "run", strategy, 4 * BATCH)
    second, third = strategy.busy[1], strategy.busy[2]
    assert any(second[0] < each < second[1] for each in stored)
    assert any(third[0] < each < third[1] for each in stored)
