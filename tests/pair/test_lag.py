"""A strategy with a lag chooses points while codes run, and asks for the same points however fast the codes are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pair.conftest import EvaluatorProcess, ScanFolder, read_run
from tests.pair.steps import BATCH, Steps, record_times, run


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
def test_an_interrupted_scan_is_the_uninterrupted_one(
    evaluator: Callable[..., tuple[Path, str]], tmp_path: Path
) -> None:
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
    stored = record_times(monkeypatch)
    strategy = Steps(thinks=1.0)
    run(*evaluator("scan", "time.sleep(0.1)"), tmp_path / "run", strategy, 4 * BATCH)
    second, third = strategy.busy[1], strategy.busy[2]
    assert any(second[0] < point < second[1] for point in stored)
    assert any(third[0] < point < third[1] for point in stored)
