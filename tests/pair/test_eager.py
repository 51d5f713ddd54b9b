"""An eager scan asks for points before workers are idle, knowing the answers so far. Each point is told and evaluated
once.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proposer.run.dataset import Dataset
from proposer.space import Space
from proposer.strategies.lode.settings import LodeSettings
from proposer.strategies.lode.strategy import Lode
from proposer.target import Target
from proposer.types import Floats, Told
from scanspec import read_scan_file
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, contents, meta, read_run
from tests.pair.processes import ProposerProcess
from tests.pair.steps import BATCH, THRESHOLD, Steps, record_times, run
from tests.pair.test_kills import SLEEP, WORKERS, Killed

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]
StartProposer = Callable[..., ProposerProcess]
Shared = tuple[ScanFolder, EvaluatorProcess]

LODE = "  seed: 1\n  type: LODE"


class Noting(Lode):
    """LODE, which keeps the points of each tell."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.told: list[Floats] = []

    def tell(self, told: Told) -> None:
        self.told.append(told.u)
        super().tell(told)


def ids_in_table(folder: Path) -> list[int]:
    with (folder / "good_points.csv").open(newline="") as file:
        return sorted(int(row["id"]) for row in csv.DictReader(file))


def good_ids(folder: Path) -> list[int]:
    points = read_run(folder)
    return [point for point, nll in zip(points.ids, points.nll, strict=True) if nll < THRESHOLD]


@pytest.mark.slow
def test_a_strategy_is_asked_while_points_are_out_and_sees_parts_of_batches(
    make_scan: MakeScan, start_evaluator: StartEvaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = record_times(monkeypatch)
    workers = 4
    # slow points are out while most of the next batch is answered
    scan = make_scan(body="time.sleep(0.02 + 0.3 * (int(x * 1000) % 4 == 0))")
    evaluator = start_evaluator(scan.file, workers=workers)
    strategy, folder = Steps(thinks=0.4), tmp_path / "run"
    run(scan.file, evaluator.address, folder, strategy, 300, eager=True)
    points = read_run(folder)
    with Dataset(folder, read_only=True) as dataset:
        left = dataset.pending().ids  # these are beyond the budget
    asked = np.bincount([*points.batches, *[strategy.asked] * len(left)], minlength=strategy.asked + 1)
    assert len(strategy.seen_ids) >= 5
    batch_of, partly = dict(zip(points.ids, points.batches, strict=True)), 0
    for number, seen in enumerate(strategy.seen_ids[1:], 2):
        out = asked[:number].sum() - len(seen)
        assert out > 0, f"the workers had nothing to do when batch {number} was asked for"
        told = np.bincount([batch_of[point] for point in seen], minlength=strategy.asked + 1)
        partly += bool(((told > 0) & (told < asked)).any())
    assert partly > len(strategy.seen_ids) / 2
    assert any(start < point < end for start, end in strategy.busy[2:] for point in stored)
    # From the third ask on, it knows how long a point takes: while it thinks for 0.4 s, 4 workers need at least 4
    # points. The last ask is for no more than the budget leaves.
    for number, least in enumerate(strategy.least[2:], 3):
        assert least > 2 * workers or least == 300 - asked[:number].sum()
    assert sorted(strategy.told_ids) == sorted(set(strategy.told_ids)) == points.ids
    assert len(scan.evaluated()) == len(set(scan.evaluated())) == len(points.ids)
    assert ids_in_table(folder) == good_ids(folder)


def test_batches_are_large_if_points_are_quick_and_asking_is_slow(
    make_scan: MakeScan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    scan = make_scan()
    strategy = Steps(thinks=0.1)
    run(scan.file, start_evaluator(scan.file).address, tmp_path / "run", strategy, 3000, eager=True)
    assert max(strategy.least) > 20 * BATCH


def test_a_strategy_is_not_pressed_for_more_points_than_the_budget_leaves(
    make_scan: MakeScan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    """Only the last batch may exceed it, because a strategy chooses the size of its batches."""
    scan, folder = make_scan(), tmp_path / "run"
    strategy = Steps(thinks=0.1)
    run(scan.file, start_evaluator(scan.file).address, folder, strategy, 700, eager=True)
    assert max(strategy.least) > 2 * BATCH
    assert len(read_run(folder).ids) == 700
    with Dataset(folder, read_only=True) as dataset:
        assert len(dataset.pending().ids) < BATCH


@pytest.mark.usefixtures("quick")
def test_a_scan_with_and_without_eager_tells_and_evaluates_each_point_once(
    make_scan: MakeScan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    scan, folder = make_scan(body="time.sleep(0.002)"), tmp_path / "run"
    address = start_evaluator(scan.file).address
    space = Space(read_scan_file(scan.file).variables)
    for most, eager in ((100, True), (171, False), (250, True), (262, True), (300, False)):
        before = len(read_run(folder).ids) if folder.exists() else 0
        pending = set[tuple[float, ...]]()
        if before:
            with Dataset(folder, read_only=True) as dataset:
                pending = set(map(tuple, dataset.pending().params.tolist()))
        strategy = Noting(space, LodeSettings(target=Target(THRESHOLD), points_per_iteration=40), 1, [])
        run(scan.file, address, folder, strategy, most, eager=eager)
        points = read_run(folder)
        assert len(points.ids) == most
        assert len(scan.evaluated()) == len(set(scan.evaluated())) == most
        # Points without an answer are evaluated first.
        first = set(scan.evaluated()[before : before + len(pending)])
        assert first <= pending
        told = np.concatenate(strategy.told)
        if eager:
            assert len(told) == most
            assert strategy.good == len(good_ids(folder))
        assert len(np.unique(told, axis=0)) == len(told)
        assert ids_in_table(folder) == good_ids(folder)


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_the_manifest_says_that_a_scan_was_eager(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    # If points took no time, ten thousand would be needed while one batch is chosen.
    scan, folder = make_scan(body="time.sleep(0.01)", setup=LODE, points=20), tmp_path / "run"
    command = ("scan", scan.file, "--evaluator", start_evaluator(scan.file).address, "--run", folder)
    manifest = folder / "manifest.json"
    assert lodescan(*command).code == 0
    first = json.loads(manifest.read_text())
    assert (first["eager"], meta(folder)["eager"]) == (False, False)
    scan.write(points=150)
    assert lodescan(*command, "--eager").code == 0
    assert json.loads(manifest.read_text()) == {**first, "eager": True}
    scan.write(points=200)
    assert lodescan(*command).code == 0
    assert (json.loads(manifest.read_text())["eager"], meta(folder)["eager"]) == (True, True)
    points = read_run(folder)
    good = good_ids(folder)
    assert len(good) >= 200
    assert sorted(scan.evaluated()) == sorted(points.params)
    assert ids_in_table(folder) == good[:200]


@pytest.mark.parametrize("name", ["MLS_DNNC", "CMAES"])
def test_types_that_need_whole_batches_refuse_to_be_eager(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path, name: str
) -> None:
    scan = make_scan(setup=f"  seed: 1\n  type: {name}")
    before = contents(tmp_path)
    said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", tmp_path / "run", "--eager")
    assert said.code == 2
    assert f"scan.yaml, line 5: {name} learns from whole batches" in said.err
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_killed_proposer_goes_on_with_and_without_eager(
    make_scan: MakeScan, start_evaluator: StartEvaluator, start_proposer: StartProposer, tmp_path: Path
) -> None:
    scan = make_scan(body=f"time.sleep({SLEEP})", setup=LODE, points=300)
    evaluator = start_evaluator(scan.file, workers=WORKERS)
    killed = Killed(scan, tmp_path / "run")
    command = ("scan", scan.file, "--evaluator", evaluator.address, "--run", killed.run)
    pending: list[tuple[int, set[tuple[float, ...]]]] = []
    for options in (("--eager",), ("--eager",), (), ("--eager",)):
        done = len(scan.evaluated())
        proposer = start_proposer(*command, *options)
        assert proposer.wait_for("good: NLL below")
        scan.until_begun(done + 60, proposer)
        proposer.kill()
        killed.look()
        done = len(scan.evaluated())
        with Dataset(killed.run, read_only=True) as dataset:
            pending.append((done, set(map(tuple, dataset.pending().params.tolist()))))
    proposer = start_proposer(*command, "--eager")
    assert proposer.wait() == 0, proposer.said
    twice = killed.check(read_run(killed.run).history())
    begun = scan.evaluated()
    for start, left in pending:
        assert left
        # points without an answer are evaluated first; while the last of them begin, so may new ones at other workers
        assert len(set(begun[start : start + len(left)]) - left) < WORKERS
    assert ids_in_table(killed.run) == good_ids(killed.run)[:300]
    assert len(good_ids(killed.run)) >= 300
    print(f"{killed.kills} kills of an eager proposer, {len(set(begun))} points, {twice} evaluated twice")
