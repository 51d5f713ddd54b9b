"""Folders of format 2 are converted when they are opened, even after an interrupted one; older formats are refused."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from typing import Any

import pytest

from proposer.commands import status
from proposer.run import tables
from proposer.run.dataset import Dataset, DatasetError
from tests.proposer.stored_runs import FORMAT2, filled


def rows(dataset: Dataset) -> list[dict[str, object]]:
    names = (
        "batch",
        "iteration",
        "origin",
        "u",
        "params",
        "attempts",
        "status",
        "nll",
        "observables",
        "losses",
        "failed_code",
        "message",
        "warnings",
        "missing",
        "seconds",
    )
    found = []
    for part in dataset.results():
        fields: tuple[Any, ...] = (
            part.batches,
            part.iterations,
            part.origins,
            part.u,
            part.params,
            part.attempts,
            part.status,
            part.nll,
            part.observables,
            part.losses,
            part.failed_code,
            part.message,
            part.warnings,
            part.missing,
            part.seconds,
        )
        for position, point in enumerate(part.ids.tolist()):
            values = [
                field[position].tolist() if hasattr(field[position], "tolist") else field[position] for field in fields
            ]
            found.append({"id": point, **dict(zip(names, values, strict=True))})
    return json.loads(json.dumps(found).replace("NaN", "null"))


@pytest.mark.parametrize("read_only", [True, False])
def test_a_converted_folder_of_format_2_holds_the_same_as_before(old_run, read_only):
    expected = json.loads((FORMAT2 / "expected.json").read_text())["cut"]
    for point in expected["points"]:  # format 2 did not store this for points without observables
        if not point["missing"] and point["observables"] == point["losses"] == [None] * 3:
            point["missing"] = [0, 1, 2]
    content = (old_run / "dataset.sqlite").read_bytes()
    with Dataset(old_run, read_only=read_only) as dataset:
        assert rows(dataset) == expected["points"]
        pending = [[int(point), values.tolist(), int(n)] for point, values, n in zip(*dataset.pending(), strict=True)]
        assert pending == expected["pending"]
        assert dataset.count_known() == expected["known"]
        assert dataset.latest_checkpoint() == (expected["batches"], expected["checkpoint"].encode())
        assert dataset.meta()["seed"] == 5
    assert ((old_run / "dataset.sqlite").read_bytes() == content) == read_only
    assert not (old_run / "dataset.sqlite.new").exists()
    with closing(sqlite3.connect(old_run / "dataset.sqlite")) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == (2 if read_only else 4)


def test_status_and_export_read_format_2(old_run, capsys):
    assert status.status(old_run) == 0
    out = capsys.readouterr().out
    assert "evaluated: 33 (3 invalid, 0 failed, 0 timed out); 8 requested points have no answer yet" in out
    assert len(tables.export(old_run, "csv").read_text().splitlines()) == 36


CONVERT = """
    import os, signal, sys
    import proposer.run.opening
    from proposer.run.dataset import Dataset

    step, real = int(sys.argv[2]), os.replace
    def replace(*names):
        if step:
            real(*names)
        os.kill(os.getpid(), signal.SIGKILL)
    os.replace = replace
    Dataset(sys.argv[1])
"""


@pytest.mark.parametrize("step", [0, 1])
def test_a_kill_during_the_conversion_loses_nothing(old_run, step):
    expected = json.loads((FORMAT2 / "expected.json").read_text())["cut"]
    command = [sys.executable, "-c", textwrap.dedent(CONVERT), str(old_run), str(step)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Dataset(old_run) as dataset:
        assert len(rows(dataset)) == len(expected["points"])
        assert len(dataset.pending().ids) == len(expected["pending"])
    assert sorted(file.name for file in old_run.iterdir() if "sqlite" in file.name) == ["dataset.sqlite"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE results SET widths = x'00' WHERE rowid = 2",
        "UPDATE meta SET key = 'x' WHERE key = 'variables'",
        "DELETE FROM meta",
        "DELETE FROM results WHERE rowid = 3",
        "UPDATE places SET place = x'0011'",
        "UPDATE results SET status = x'0909090909090909' WHERE rowid = 3",
        "DROP TABLE attempts",
        "UPDATE results SET batch = 9 WHERE rowid = 3",
        "UPDATE meta SET value = '[' WHERE key = 'seed'",
    ],
)
def test_a_damaged_folder_of_format_2_is_named_and_not_replaced(old_run, damage):
    with closing(sqlite3.connect(old_run / "dataset.sqlite")) as db, db:
        db.execute(damage)
    for read_only in (True, False):
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: "):
            Dataset(old_run, read_only=read_only)
    with closing(sqlite3.connect(old_run / "dataset.sqlite")) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 2


@pytest.mark.parametrize("version", [0, 1, 2, 3, 5])
def test_a_changed_number_of_the_format_does_no_harm(tmp_path, version):
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as db:
        db.execute(f"PRAGMA user_version = {version}")
    for read_only in (True, False):
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: "):
            Dataset(tmp_path, read_only=read_only)
    with closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM points").fetchone()[0] == 180


def test_older_formats_are_refused(old_run):
    with closing(sqlite3.connect(old_run / "dataset.sqlite")) as db:
        db.execute("PRAGMA user_version = 1")
    with pytest.raises(DatasetError, match=r"has format 1, but this lodescan reads 4 .and converts 2 and 3"):
        Dataset(old_run)
