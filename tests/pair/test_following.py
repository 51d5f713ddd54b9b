"""A target that follows the best point, with both sides and with every command that reads a run."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proposer.report.write import write_report
from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, meta, read_run
from tests.pair.processes import ProposerProcess

Lodescan = Callable[..., Said]

DEEP = "if math.hypot(x - 0.9, y / 4 - 0.4) < 0.07: return {'r': 0.3 + math.hypot(x - 0.9, y / 4 - 0.4)}"
"""Elsewhere r is at least 0.5: with r = 0 +- 0.1 the NLL there is at least 12.5, and here at least 4.5."""
FLOOR = "return {'r': 0.5 + math.hypot(x - 0.4, y / 4)}"
SLOW = "time.sleep(0.02)"
ABOVE = "  threshold_value: {above_best: 2}\n"


def folder(where: Path, setup: str, *, slow: bool = False, points: int = 12) -> ScanFolder:
    body = "\n".join([*([SLOW] if slow else []), DEEP, FLOOR])
    scan = ScanFolder(where, {"setup": setup, "points": points, "batch": 15, "bootstrap": 30}, body)
    scan.replace("  threshold_value: 2\n", ABOVE)
    return scan


RANDOM = "  seed: 2\n  type: RANDOM\n  max_evaluations: {}"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ScanFolder, list[EvaluatorProcess]]]:
    where = tmp_path_factory.mktemp("following")
    scan = folder(where / "scan", RANDOM.format(3000))
    evaluators = [EvaluatorProcess(scan.file, where / f"evaluator{number}", workers=1) for number in range(3)]
    yield scan, evaluators
    for evaluator in evaluators:
        evaluator.stop()


Pair = tuple[ScanFolder, list[EvaluatorProcess]]


def good_ids(run: Path) -> list[int]:
    points = read_run(run)
    best = min(points.nll)
    return [point for point, nll in zip(points.ids, points.nll, strict=True) if nll < best + 2]


def table(run: Path) -> list[int]:
    with (run / "good_points.csv").open() as file:
        return [int(row["id"]) for row in csv.DictReader(file)]


@pytest.mark.slow
def test_three_evaluators_give_the_table_of_one_and_all_commands_agree(
    pair: Pair, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan, evaluators = pair
    for name, many in (("one", 1), ("three", 3)):
        addresses = [evaluator.address for evaluator in evaluators[:many]]
        said = lodescan("scan", scan.file, "--evaluator", *addresses, "--run", tmp_path / name)
        assert said.code == 0, said.err
        assert "stopped: 12 good points found (points: 12)" in said.err
    one, three = tmp_path / "one", tmp_path / "three"
    assert (one / "good_points.csv").read_bytes() == (three / "good_points.csv").read_bytes()
    good, best = good_ids(one), min(read_run(one).nll)
    assert table(one) == good[:12] and best < 6 and read_run(one).history() == read_run(three).history()
    status = lodescan("status", one).out
    assert f"{len(good)} of 12 good points (NLL below {best + 2:.6g}, 2 above the lowest)" in status
    found = json.loads(lodescan("status", one, "--json").out)
    assert (found["good"], found["above_best"], found["lowest_nll"]) == (len(good), 2, best)
    assert found["threshold"] == pytest.approx(best + 2)
    compared = json.loads(lodescan("compare", one, three, "--json").out)["runs"]
    assert [row["good"] for row in compared] == [len(good)] * 2
    assert lodescan("export", one, "--format", "getdist").code == 0
    assert len((one / "chains" / "one.txt").read_text().splitlines()) == len(good)
    assert lodescan("merge", one, three, "--run", tmp_path / "both").code == 0 and table(tmp_path / "both") == good
    page = write_report([one])[0].read_text()
    assert f"{len(good):,} of 12 asked for" in page and "2 above the lowest" in page
    manifest = json.loads((one / "manifest.json").read_text())["good"]
    assert manifest["above_best"] == 2 and manifest["best_nll"] == best
    assert meta(one)["best_nll"] == best and meta(one)["threshold"] == pytest.approx(best + 2)


def test_from_a_number_to_above_best_and_back_on_a_run_that_goes_on(
    pair: Pair, lodescan: Lodescan, tmp_path: Path
) -> None:
    address, run = pair[1][0].address, tmp_path / "run"
    copy = folder(tmp_path / "copy", RANDOM.format(60))
    copy.replace(ABOVE, "  threshold_value: 20\n")
    said = lodescan("scan", copy.file, "--evaluator", address, "--run", run)
    assert said.code == 0 and "good: NLL below 20" in said.err, said.err
    copy.replace("  threshold_value: 20\n", ABOVE)
    copy.replace("max_evaluations: 60", "max_evaluations: 90")
    said = lodescan("scan", copy.file, "--evaluator", address, "--run", run)
    words = "good was: NLL below 20; is now: NLL less than 2 above the lowest"
    assert f"note: {words}; every point is counted anew" in said.err, said.err
    assert table(run) == good_ids(run)[:12] and len(read_run(run).ids) == 90
    [change] = json.loads((run / "manifest.json").read_text())["target_changes"]
    assert change["change"] == words and 60 < change["from_point"] <= 91
    assert ABOVE in (run / "scan.yaml").read_text()
    said = lodescan("scan", copy.file, "--evaluator", address, "--run", run)
    assert said.code == 0 and "good was" not in said.err
    copy.replace(ABOVE, "  confidence: 0.95\n  degrees_of_freedom: 1\n")
    assert lodescan("scan", copy.file, "--evaluator", address, "--run", run).code == 0
    assert "1.92073 above the lowest: 95 % with 1 degree of freedom" in lodescan("status", run).out
    copy.replace("  confidence: 0.95\n  degrees_of_freedom: 1\n", "  threshold_value: 20\n")
    assert lodescan("scan", copy.file, "--evaluator", address, "--run", run).code == 0
    assert json.loads(lodescan("status", run, "--json").out).get("above_best") is None
    assert "(NLL below 20)" in lodescan("status", run).out
    copy.replace("  threshold_value: 20\n", "  threshold_value: 19\n")
    said = lodescan("scan", copy.file, "--evaluator", address, "--run", run)
    assert said.code == 2 and "threshold_value is 20, in this one 19" in said.err  # two fixed thresholds are two runs
    copy.replace("  threshold_value: 19\n", ABOVE)
    into = tmp_path / "rescored"
    assert lodescan("rescore", run, "--scan", copy.file, "--run", into).code == 0
    assert "2 above the lowest" in lodescan("status", into).out and table(into) == good_ids(into)[:12]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RANDOM", "LODE"])
def test_a_kill_in_the_middle_changes_nothing(
    lodescan: Lodescan, start_evaluator, start_proposer, pair: Pair, tmp_path: Path, kind: str
) -> None:
    setup = f"  seed: 3\n  type: {kind}\n  max_evaluations: 120"
    slow = folder(tmp_path / "slow", setup, slow=True, points=1000)
    evaluator, run = start_evaluator(slow.file), tmp_path / "run"
    for after in (20, 70):
        proposer: ProposerProcess = start_proposer("scan", slow.file, "--evaluator", evaluator.address, "--run", run)
        slow.until_begun(after, proposer)
        proposer.kill()
    assert lodescan("scan", slow.file, "--evaluator", evaluator.address, "--run", run).code == 0
    quick = folder(tmp_path / "quick", setup, points=1000)
    straight = tmp_path / "straight"
    assert lodescan("scan", quick.file, "--evaluator", pair[1][0].address, "--run", straight).code == 0
    assert read_run(run).history() == read_run(straight).history()
    assert (run / "good_points.csv").read_bytes() == (straight / "good_points.csv").read_bytes()
    assert table(run) == good_ids(run)
