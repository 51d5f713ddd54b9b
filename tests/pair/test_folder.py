"""Commands on the folder of a run that is old, damaged, incomplete, or belongs to somebody else."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.pair.conftest import EvaluatorProcess, Said, ScanFolder, contents, meta, read_run
from tests.pair.test_refusals import refused

Lodescan = Callable[..., Said]
MakeScan = Callable[..., ScanFolder]
Shared = tuple[ScanFolder, EvaluatorProcess]

FORMAT2 = Path(__file__).parents[1] / "data" / "format2"
FORMAT3 = FORMAT2.with_name("format3")
RANDOM = "  seed: 1\n  type: RANDOM\n  max_evaluations: 20"


def test_a_folder_of_format_2_goes_on_as_if_it_were_new(
    lodescan: Lodescan, start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> None:
    """The last lodescan of format 2 was killed during this run. It ends with the same points as without the kill."""
    shutil.copytree(FORMAT2, tmp_path / "case")
    file, run = tmp_path / "case" / "scan.yaml", tmp_path / "case" / "run"
    expected = json.loads((FORMAT2 / "expected.json").read_text())["whole"]["points"]
    evaluator = start_evaluator(file)
    said = lodescan("scan", file, "--evaluator", evaluator.address, "--run", run, "--same-physics")
    assert said.code == 0, said.err
    assert "going on: 43 points were asked for before, 8 of them have no answer yet" in said.err
    points = read_run(run)
    assert points.ids == [row["id"] for row in expected]
    assert points.params == [tuple(row["params"]) for row in expected]
    for position, row in enumerate(expected):
        assert (points.batches[position], points.origins[position]) == (row["batch"], row["origin"])
        if points.status[position] != "TIMED_OUT":  # on a busy machine more points may be late
            np.testing.assert_array_equal(points.observables[position], np.array(row["observables"], dtype=float))
    again = lodescan("scan", file, "--evaluator", evaluator.address, "--run", run)
    assert again.code == 0, again.err

    file.write_text(file.read_text().replace("sigma: 0.3", "sigma: 0.4"))
    refused(lodescan("scan", file, "--evaluator", evaluator.address, "--run", run), "does not compute", code=2)


def test_a_folder_of_format_3_goes_on_to_a_higher_target(
    lodescan: Lodescan, start_evaluator: Callable[..., EvaluatorProcess], tmp_path: Path
) -> None:
    """No stored point is evaluated again, and the new points are those that the older lodescan would have chosen."""
    shutil.copytree(FORMAT3, tmp_path / "case")
    file, run = tmp_path / "case" / "scan.yaml", tmp_path / "case" / "run"
    with open(FORMAT3 / "whole.csv", newline="") as table:
        expected = [(row["id"], float(row["m0"]), float(row["M0"]), row["status"]) for row in csv.DictReader(table)]
    before = read_run(run)
    file.write_text(file.read_text().replace("points: 15, max_evaluations: 60", "points: 20, max_evaluations: 62"))
    evaluator = start_evaluator(file)
    said = lodescan("scan", file, "--evaluator", evaluator.address, "--run", run, "--no-report")
    assert said.code == 0, said.err
    assert "going on: 63 points were asked for before, 31 of them have no answer yet" in said.err
    points = read_run(run)
    assert [*zip(map(str, points.ids), *zip(*points.params, strict=True), points.status, strict=True)][:62] == expected
    assert len(points.ids) == 64
    with closing(sqlite3.connect(run / "dataset.sqlite")) as db:  # the older rows have no times
        old = db.execute("SELECT id, NLL FROM points WHERE sent_at IS NULL AND status IS NOT NULL ORDER BY id")
        found = np.array(old.fetchall(), dtype=float)
    np.testing.assert_array_equal(found, np.column_stack([before.ids, before.nll]))


def test_another_scan_file_changes_nothing_in_a_folder_of_format_2(lodescan: Lodescan, tmp_path: Path) -> None:
    shutil.copytree(FORMAT2, tmp_path / "case")
    file, run = tmp_path / "case" / "scan.yaml", tmp_path / "case" / "run"
    assert lodescan("status", run).code == lodescan("export", run).code == lodescan("plot", run).code == 0
    before = contents(run)
    file.write_text(file.read_text().replace("M0: [-1, 1]", "M0: [-2, 1]"))
    said = lodescan("scan", file, "--evaluator", "127.0.0.1:9", "--run", run, "--wait", 0)
    assert said.code == 3
    assert contents(run).keys() - {"lock"} == before.keys()


@pytest.mark.parametrize("damage", ["not JSON", "a changed byte", "a link", "gone", "a list"])
def test_a_damaged_manifest_is_written_again(
    damage: str, shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = ("scan", make_scan(setup=RANDOM).file, "--evaluator", shared[1].address, "--run", run)
    assert lodescan(*command).code == 5
    manifest, history = run / "manifest.json", read_run(run).history()
    before = manifest.read_text()
    precious = tmp_path / "precious"
    precious.write_text("precious")
    match damage:
        case "not JSON":
            manifest.write_text("{")
        case "a changed byte":
            manifest.write_text(before.replace('"seed": 1', '"seed": 3'))
        case "a list":
            manifest.write_text("[]")
        case "a link":
            manifest.unlink()
            manifest.symlink_to(precious)
        case _:
            manifest.unlink()
    said = lodescan(*command)
    assert said.code == 5, said.err
    assert ("manifest.json was not as lodescan had written it" in said.err) == (damage not in ("a link", "gone"))
    assert manifest.read_text() == before and not manifest.is_symlink()
    assert read_run(run).history() == history
    assert precious.read_text() == "precious"


def test_a_changed_byte_of_the_dataset_ends_every_command(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    run, scan = tmp_path / "run", make_scan(setup=RANDOM)
    command = ("scan", scan.file, "--evaluator", shared[1].address, "--run", run)
    assert lodescan(*command).code == 5
    content = (run / "dataset.sqlite").read_bytes()
    stored = read_run(run).params[3][0]
    with closing(sqlite3.connect(run / "dataset.sqlite")) as db, db:
        db.execute("UPDATE points SET x = x + 1e-9 WHERE id = 4")
    for words in (command, ("status", run), ("export", run), ("plot", run)):
        refused(lodescan(*words), f"{run / 'dataset.sqlite'}: is damaged: the row of point 4 is not as it was written")
    (run / "dataset.sqlite").write_bytes(content)
    assert read_run(run).params[3][0] == stored


def test_the_user_s_own_folder_is_left_alone(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = make_scan(setup=RANDOM)
    monkeypatch.chdir(scan.folder)
    before = contents(scan.folder)
    refused(lodescan("scan", "scan.yaml", "--evaluator", shared[1].address, "--run", "."), "holds files but no run")
    assert contents(scan.folder) == before


def test_the_columns_of_the_dataset_are_those_of_the_scan(
    shared: Shared, make_scan: MakeScan, lodescan: Lodescan, tmp_path: Path
) -> None:
    run, scan = tmp_path / "my run", make_scan(setup=RANDOM)
    said = lodescan("scan", scan.file, "--evaluator", shared[1].address, "--run", run)
    assert f"(`lodescan export '{run}'` writes a table)" in said.err
    with closing(sqlite3.connect(run / "dataset.sqlite")) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(points)")]
        rows = db.execute("SELECT id, x, r, NLL, status, evaluator FROM points WHERE status = 'OK'").fetchall()
    assert names == [
        "id",
        "batch",
        "iteration",
        "origin",
        "status",
        "NLL",
        "x",
        "y",
        "z",
        "r",
        "loss r",
        "seconds ball",
        "probability",
        "attempts",
        "asked_at",
        "sent_at",
        "begun_at",
        "returned_at",
        "evaluator",
        "failed_code",
        "message",
        "warnings",
        "missing",
        "crc",
    ]
    points = read_run(run)
    assert [row[0] for row in rows] == [point for point, nll in zip(points.ids, points.nll, strict=True) if nll == nll]
    assert {row[5] for row in rows} == {shared[1].address}
    assert meta(run)["variables"] == ["x", "y", "z"]
