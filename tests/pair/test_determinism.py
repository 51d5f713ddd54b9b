"""A seed determines the scan, for any number of workers and evaluators."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, read_run
from tests.pair.processes import ProposerProcess

Lodescan = Callable[..., Said]
Shared = tuple[ScanFolder, EvaluatorProcess]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.mark.slow
def test_any_number_of_workers_gives_the_same_points(
    shared: Shared, lodescan: Lodescan, start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> None:
    scan, evaluator = shared
    said = lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "2")
    assert said.code == 0, said.err
    expected = read_run(tmp_path / "2").history()
    assert [row[0] for row in expected] == list(range(1, len(expected) + 1))
    assert len(expected) > 180
    assert {row[2] for row in expected} >= {"bootstrap", "exploit", "left"}
    for workers in (0, 1, 3):
        other = start_evaluator(scan.file, workers=workers)
        run = tmp_path / str(workers)
        assert lodescan("scan", scan.file, "--evaluator", other.address, "--run", run).code == 0
        assert read_run(run).history() == expected, f"{workers} workers"
        other.stop()


@pytest.mark.slow
def test_sixteen_evaluators_of_which_some_are_killed_give_the_same_points(
    shared: Shared,
    make_scan: Callable[..., ScanFolder],
    lodescan: Lodescan,
    start_evaluator: Callable[..., EvaluatorProcess],
    start_proposer: Callable[..., ProposerProcess],
    tmp_path: Path,
) -> None:
    """The search is LODE, which trains while points run. Each ask has a fixed lag."""
    settings = {"setup": "  seed: 1\n  type: LODE\n  max_evaluations: 240", "iterations": 1000}
    one = make_scan("one", **settings)
    said = lodescan("scan", one.file, "--evaluator", shared[1].address, "--run", tmp_path / "1")
    assert said.code == 0, said.err
    expected = read_run(tmp_path / "1").history()
    assert len(expected) == 240 and len({row[1] for row in expected}) > 3  # several batches

    scan = make_scan(body="time.sleep(0.02 * (int(x * 1000) % 5))", **settings)
    with ThreadPoolExecutor(4) as starting:
        evaluators = list(starting.map(lambda _: start_evaluator(scan.file, workers=0), range(16)))
    addresses = [evaluator.address for evaluator in evaluators]
    proposer = start_proposer("scan", scan.file, "--evaluator", *addresses, "--run", tmp_path / "16", "--no-report")
    for number, evaluator in enumerate(evaluators[:6], 1):
        scan.until_begun(30 * number, proposer)
        evaluator.kill()
    assert proposer.wait() == 0, proposer.said
    assert read_run(tmp_path / "16").history() == expected
    assert "its points will be sent again" in proposer.said


@pytest.mark.slow
def test_another_seed_is_another_scan(shared: Shared, lodescan: Lodescan, tmp_path: Path) -> None:
    scan, evaluator = shared
    params = {}
    for name, options in (("file", ()), ("same", ("--seed", 1)), ("other", ("--seed", 2))):
        run = tmp_path / name
        assert lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", run, *options).code == 0
        params[name] = read_run(run).params
    assert params["file"] == params["same"]
    assert not set(params["file"]) & set(params["other"])


def test_a_scan_without_a_seed_draws_one_and_keeps_it(
    shared: Shared, make_scan: Callable[..., ScanFolder], lodescan: Lodescan, tmp_path: Path
) -> None:
    _, evaluator = shared
    scan = make_scan(setup="", iterations=1)
    said = [lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / n) for n in "ab"]
    assert [child.code for child in said] == [0, 0]
    assert not set(read_run(tmp_path / "a").params) & set(read_run(tmp_path / "b").params)
    # The same command goes on with the seed that was drawn.
    scan.write(iterations=2)
    assert lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", tmp_path / "a").code == 0


def test_a_run_keeps_the_number_of_threads_that_it_began_with(
    shared: Shared,
    make_scan: Callable[..., ScanFolder],
    lodescan: Lodescan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sums depend on the number of threads, and a run may go on with more or fewer cores."""
    scan, before, used = make_scan(bootstrap=20, batch=10), torch.get_num_threads(), list[int]()
    set_number = torch.set_num_threads

    def use(threads: int) -> None:
        used.append(threads)
        set_number(threads)

    monkeypatch.setattr("torch.set_num_threads", use)
    for number, (cores, run, threads) in enumerate([(3, "a", 3), (12, "a", 3), (12, "b", 8)], 1):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        scan.write(iterations=number)
        said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", tmp_path / run)
        assert said.code == 0, said.err
        assert used == [threads, before]  # the process has as many threads as before
        used.clear()
    assert {2, 3} <= set(read_run(tmp_path / "a").batches)
