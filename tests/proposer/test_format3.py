"""Folders of format 3 are converted. They had no probabilities, and early ones had no times."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proposer.commands import status
from proposer.run import schema, tables
from proposer.run.dataset import Dataset, DatasetError
from proposer.run.record import RunRecord
from proposer.types import Pending
from tests.proposer.stored_runs import FORMAT3

TIMES = ("asked_at", "sent_at", "begun_at", "returned_at")


def copied(name: str, tmp_path: Path) -> Path:
    shutil.copytree(FORMAT3 / name, tmp_path / name)
    return tmp_path / name


def query(folder: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "dataset.sqlite")) as db:
        return db.execute(statement).fetchall()


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("name", ["run", "timed"])
def test_a_converted_folder_of_format_3_holds_the_same_as_before(name, read_only, tmp_path):
    run = copied(name, tmp_path)
    before, content = query(run, "SELECT * FROM points"), (run / "dataset.sqlite").read_bytes()
    had = [row[0] for row in query(run, "SELECT name FROM columns ORDER BY position")]
    state = query(run, "SELECT batch, data FROM checkpoint")[0]
    meta = dict(query(run, "SELECT key, value FROM meta"))
    with Dataset(run, read_only=read_only) as dataset:
        parts = list(dataset.results())
        answered = sum(row[had.index("status")] is not None for row in before)
        assert sum(len(part.ids) for part in parts) == answered == len(before) - len(dataset.pending().ids)
        assert dataset.latest_checkpoint() == state
        left = {"meaning", "given"} if name == "run" else set()
        assert dataset.meta() == {key: json.loads(value) for key, value in meta.items() if key not in left}
        names = dataset.columns.names
        assert set(names) - set(had) == {"probability", *(() if name == "timed" else TIMES)}
    if not read_only:
        kept = [key for key in had if key != "crc"]
        for then, now in zip(before, query(run, "SELECT * FROM points"), strict=True):
            old, new = dict(zip(had, then, strict=True)), dict(zip(names, now, strict=True))
            assert [new[key] for key in kept] == [old[key] for key in kept]
            assert all(new[key] is None for key in set(names) - set(had))
    times = np.concatenate([part.times for part in parts])
    assert np.isnan(times[:, 0]).all() == (name == "run")
    assert np.isnan(np.concatenate([part.probability for part in parts])).all()
    assert ((run / "dataset.sqlite").read_bytes() == content) == read_only
    assert query(run, "PRAGMA user_version") == [(3 if read_only else schema.FORMAT,)]


def test_a_converted_folder_goes_on_and_is_not_converted_again(tmp_path):
    run = copied("run", tmp_path)
    for _ in range(2):
        with Dataset(run) as dataset:
            dataset.check()
            left: Pending = dataset.pending()
            dataset.add_attempt(left.ids.tolist()[:1])
    with Dataset(run) as dataset:
        assert dataset.pending().attempts.tolist()[:2] == [2, 0]


def test_status_and_export_read_format_3(tmp_path, capsys):
    run = copied("run", tmp_path)
    assert status.status(run) == 0
    out = capsys.readouterr().out
    assert "evaluated: 30 (2 invalid, 0 failed, 0 timed out); 31 requested points have no answer yet" in out
    with open(tables.export(run, "csv"), newline="") as new, open(FORMAT3 / "cut.csv", newline="") as old:
        written, expected = list(csv.DictReader(new)), list(csv.DictReader(old))
    assert [{key: row[key] for key in expected[0]} for row in written] == expected


def test_a_stored_meaning_without_the_settings_of_the_file_is_ignored(tmp_path):
    """The meaning is then read from the scan file in the folder."""
    with Dataset(copied("timed", tmp_path)) as dataset:
        meta = dataset.meta()
    assert RunRecord.read(meta).meaning is not None
    del meta["given"]
    assert RunRecord.read(meta).meaning is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE points SET m0 = 1 WHERE id = 7",
        "UPDATE points SET mh = 1 WHERE id = 7",
        "UPDATE points SET attempts = 1 WHERE id = 7",
        "UPDATE points SET crc = 1 WHERE id = 40",
        "UPDATE points SET message = 'x' WHERE id = 7",
        "UPDATE points SET id = 100 WHERE id = 63",
        "DELETE FROM points WHERE id = 7",
        "DELETE FROM points WHERE id = 63",
        "DELETE FROM batches WHERE number = 2",
        "DELETE FROM batches WHERE number = 4",
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET data = x'00'",
        "UPDATE columns SET unit = 'TeV' WHERE name = 'mh'",
        "DELETE FROM columns WHERE name = 'mh'",
        "UPDATE meta SET value = '6' WHERE key = 'seed'",
        "ALTER TABLE points RENAME COLUMN mh TO mx",
        "ALTER TABLE points ADD COLUMN probability REAL",
        "DROP TABLE batches",
    ],
)
def test_a_damaged_folder_of_format_3_is_named_and_not_replaced(tmp_path, damage):
    run = copied("run", tmp_path)
    with closing(sqlite3.connect(run / "dataset.sqlite")) as db, db:
        db.execute(damage)
    for read_only in (True, False):
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: "):
            Dataset(run, read_only=read_only)
    assert query(run, "PRAGMA user_version") == [(3,)]
