"""`lodescan retry` and `lodescan point` evaluate points of a faulty code again."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, meta, read_run

MakeScan = Callable[..., ScanFolder]
StartEvaluator = Callable[..., EvaluatorProcess]
Lodescan = Callable[..., Said]


@pytest.mark.slow
def test_after_a_fault_is_fixed_its_points_are_evaluated_again(
    make_scan: MakeScan, start_evaluator: StartEvaluator, lodescan: Lodescan, tmp_path: Path
) -> None:
    scan, run = make_scan(body="assert x < 0.5", setup="  seed: 1\n  max_evaluations: 50"), tmp_path / "run"
    first = start_evaluator(scan.file)
    assert lodescan("scan", scan.file, "--evaluator", first.address, "--run", run).code == 0
    before = read_run(run)
    failed = [point for point, status in zip(before.ids, before.status, strict=True) if status == "FAILED"]
    assert 10 < len(failed) < 40

    told = lodescan("point", run, failed[0]).out
    assert told.startswith(f"point {failed[0]}: FAILED at ball\n") and "AssertionError" in told
    again = told.splitlines()[-1]
    assert again.startswith("run it again: lodescan-evaluator point ") and again.endswith(f"--keep point{failed[0]}")
    values = json.loads(lodescan("point", run, failed[0], "--json").out)
    assert tuple(values["variables"].values()) == before.params[before.ids.index(failed[0])]
    assert (values["status"], values["nll"], values["observables"][0]["missing"]) == ("FAILED", None, True)

    first.stop()
    scan.physics("")
    mended = start_evaluator(scan.file)
    refused = lodescan("retry", run, "--evaluator", mended.address)
    assert refused.code == 2 and "if you have repaired a code" in refused.err and "--same-physics" in refused.err
    assert read_run(run).history() == before.history()
    begun = len(scan.evaluated())
    (run / "report.html").write_text("old answers")
    done = lodescan("retry", run, "--evaluator", mended.address, "--same-physics")
    assert done.code == 0 and f"report.html still has the old answers; `lodescan report {run}` writes" in done.err
    assert f"evaluating {len(failed)} points with the status FAILED or TIMED_OUT again" in done.err

    after = read_run(run)
    assert len(scan.evaluated()) - begun == len(failed)
    assert set(after.status) == {"OK"} and after.ids == before.ids and after.params == before.params
    kept = [k for k, status in enumerate(before.status) if status == "OK"]
    assert [after.nll[k] for k in kept] == [before.nll[k] for k in kept]
    good = [point for point, nll in zip(after.ids, after.nll, strict=True) if nll < 2]
    with (run / "good_points.csv").open() as file:
        assert [int(row["id"]) for row in csv.DictReader(file)] == good
    assert meta(run)["same_physics"][0]["changed"] == ["ball: file physics.py has changed"]
    manifest = run / "manifest.json"  # as after a scan of a relative path in another folder
    manifest.write_text(manifest.read_text().replace(str(scan.file), "elsewhere/scan.yaml"))
    assert "nothing to do" in lodescan("retry", run, "--evaluator", mended.address).err

    scan.write(setup="  seed: 1\n  max_evaluations: 60")
    assert lodescan("scan", scan.file, "--evaluator", mended.address, "--run", run).code == 0
    assert len(read_run(run).ids) == 60


def test_points_that_failed_for_a_reason_outside_of_the_code_are_evaluated_again(
    make_scan: MakeScan, lodescan: Lodescan, start_evaluator: StartEvaluator, tmp_path: Path
) -> None:
    body = "assert not Path(__file__).with_name('down').exists()"
    scan = make_scan(body=body, setup="  seed: 1\n  max_evaluations: 5")
    scan.file.with_name("down").touch()
    evaluator, run = start_evaluator(scan.file), tmp_path / "run"
    assert lodescan("scan", scan.file, "--evaluator", evaluator.address, "--run", run).code == 4
    scan.file.with_name("down").unlink()
    said = lodescan("retry", run, "--evaluator", evaluator.address)
    assert (said.code, set(read_run(run).status)) == (0, {"OK"}), said.err


def test_unknown_ids_are_refused(
    shared: tuple[ScanFolder, EvaluatorProcess], lodescan: Lodescan, tmp_path: Path
) -> None:
    evaluator, run = shared[1], tmp_path / "run"
    none = lodescan("retry", run, "--evaluator", evaluator.address)
    assert none.code == 2 and "there is no run here" in none.err and not run.exists()
    scan_file = ScanFolder(tmp_path / "scan", {"setup": "  seed: 1\n  max_evaluations: 5"})
    assert lodescan("scan", scan_file.file, "--evaluator", evaluator.address, "--run", run).code in (0, 5)
    for number in (0, 10**6, 10**30):
        said = lodescan("point", run, number)
        assert said.code == 2 and f"has no point {number}; its points have the numbers 1 to 60" in said.err
    said = lodescan("point", run, 60)
    assert said.code == 0 and said.out.startswith("point 60: no answer yet\n")
