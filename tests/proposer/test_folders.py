"""The folder of a run: after a kill during its start, if it belongs to another program, and if it is changed during a
scan.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import stat
from contextlib import closing

import numpy as np
import pytest

from proposer.commands import status
from proposer.run import tables
from proposer.run.dataset import Dataset, DatasetError
from proposer.run.folder import FolderInUse
from proposer.run.tables import GoodPoints
from proposer.target import Target
from proposer.types import Batch
from tests.proposer.datasets import columns, open_dataset, with_nll
from tests.proposer.stored_runs import everything, filled

# Folders of an interrupted start


@pytest.mark.parametrize("content", [None, b"", "wal"])
def test_a_kill_during_the_start_leaves_a_run_that_has_not_started(tmp_path, content, capsys):
    if content == "wal":  # SQLite has written its header, but no table
        with closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as db:
            db.execute("PRAGMA journal_mode = WAL")
    elif content is not None:
        (tmp_path / "dataset.sqlite").write_bytes(content)
    (tmp_path / "lock").write_text("process 1 on nowhere\n")
    if content is not None:
        assert status.status(tmp_path) == 0
        assert "has not started yet" in capsys.readouterr().out
        with pytest.raises(DatasetError, match="has not started yet"):
            tables.export(tmp_path, "csv")
    with Dataset(tmp_path) as dataset:
        assert (dataset.meta(), dataset.points, dataset.batches, dataset.counts()) == ({}, 0, 0, {})
    filled(tmp_path)
    assert len(everything(tmp_path)) > 5


def test_a_run_of_format_2_that_had_not_started_can_start(tmp_path, old_run):
    with closing(sqlite3.connect(old_run / "dataset.sqlite")) as db, db:
        for table in ("meta", "batches", "places", "results", "checkpoint", "attempts"):
            db.execute(f"DELETE FROM {table}")
    (old_run / "good_points.csv").unlink()
    with Dataset(old_run) as dataset:
        assert (dataset.meta(), dataset.points) == ({}, 0)
    filled(old_run)


def test_the_message_says_that_another_program_holds_the_file(tmp_path, monkeypatch, connections):
    monkeypatch.setattr("proposer.run.opening.journal_mode", lambda _: "DELETE")
    with open_dataset(tmp_path) as dataset, closing(sqlite3.connect(dataset.path)) as other:
        connections[-1].execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN")
        other.execute("SELECT * FROM meta").fetchone()
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: another program holds it"):
            dataset.set_meta({"a": 1})
        other.execute("ROLLBACK")
        dataset.set_meta({"a": 1})


def test_after_a_failed_start_the_run_has_not_started(tmp_path):
    with Dataset(tmp_path) as dataset:
        with pytest.raises(TypeError):
            dataset.start(columns(), {"no JSON": object()})
        assert dataset.meta() == {}
    filled(tmp_path)


def test_a_database_of_another_program_is_left_alone(tmp_path):
    with closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as db, db:
        db.execute("CREATE TABLE theirs (a)")
    content = (tmp_path / "dataset.sqlite").read_bytes()
    for read_only in (False, True):
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: is a database of another program"):
            Dataset(tmp_path, read_only=read_only)
    assert (tmp_path / "dataset.sqlite").read_bytes() == content


@pytest.mark.parametrize("name", ["scan.yaml", "manifest.json", "thesis.tex", "files"])
def test_a_folder_with_foreign_files_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    (tmp_path / ".hidden").write_text("")
    with pytest.raises(DatasetError, match=rf"holds files but no run \({name}\).*choose a new or empty folder"):
        Dataset(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".hidden", name])


# Folders that are changed during a scan


def test_another_process_stays_out_when_the_lock_is_removed(tmp_path):
    with open_dataset(tmp_path) as dataset:
        (tmp_path / "lock").unlink()
        with pytest.raises(FolderInUse, match="in use by"):
            Dataset(tmp_path)
        u = np.array([[0.5, 0.5]])
        dataset.add_batch(Batch(u, ["a"], 0), u, b"")  # the scan goes on
    Dataset(tmp_path).close()


@pytest.mark.parametrize("how", ["removed", "no folder"])
def test_without_locks_on_folders_a_removed_lock_ends_the_scan(tmp_path, monkeypatch, how):
    """NFS cannot lock a folder."""
    flock = fcntl.flock

    def of_files_alone(descriptor, operation):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", of_files_alone)
    with open_dataset(tmp_path / "run") as dataset:
        if how == "removed":
            (tmp_path / "run" / "lock").unlink()
        else:
            (tmp_path / "run").rename(tmp_path / "away")
            (tmp_path / "run").write_text("")
        with pytest.raises(DatasetError, match="lock: was removed or replaced, so another process may work"):
            dataset.set_meta({"a": 1})


@pytest.mark.parametrize("how", ["removed", "replaced", "folder"])
def test_a_scan_ends_if_its_dataset_is_removed(tmp_path, how):
    run = tmp_path / "run"
    with open_dataset(run) as dataset:
        if how == "folder":
            shutil.rmtree(run)
        else:
            (run / "dataset.sqlite").unlink()
            if how == "replaced":
                (run / "dataset.sqlite").write_bytes(b"")
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: was removed or replaced while the scan worked on it"):
            dataset.set_meta({"a": 1})


def test_a_folder_in_the_place_of_one_that_was_moved_away_stays_empty(tmp_path):
    """Also where the run's folder is a link to one on another disk."""
    (tmp_path / "disk").mkdir()
    run = tmp_path / "run"
    run.symlink_to(tmp_path / "disk")
    with open_dataset(run) as dataset:
        table = GoodPoints(run / "good_points.csv", ["v0", "v1"], ["o0", "o1", "o2"], Target(5.0))
        u = np.random.default_rng(1).random((4, 2))
        for batch, write in ((u[:2], table.rewrite), (u[2:], table.add)):
            dataset.add_batch(Batch(batch, ["init"] * 2, 0), batch, b"", with_nll([1.0, 2.0]))
            (run / "good_points.csv").unlink(missing_ok=True)
            write(dataset)
            assert (run / "good_points.csv").exists()
            (tmp_path / "disk").rename(tmp_path / "away")
            (tmp_path / "disk").mkdir()
            for again in (table.rewrite, table.add):
                again(dataset)
            assert not list((tmp_path / "disk").iterdir())
            (tmp_path / "disk").rmdir()
            (tmp_path / "away").rename(tmp_path / "disk")


def test_a_folder_that_cannot_be_looked_at_is_not_in_its_place(tmp_path):
    """Whatever the system says: an error here would hide the one that ended the scan."""
    (tmp_path / "disk").mkdir()
    run = tmp_path / "disk" / "run"
    with open_dataset(run) as dataset:
        table = GoodPoints(run / "good_points.csv", ["v0", "v1"], ["o0", "o1", "o2"], Target(5.0))
        (tmp_path / "disk").rename(tmp_path / "away")
        (tmp_path / "disk").write_text("a file, so that the system answers ENOTDIR")
        assert not dataset.is_in_place
        table.finish(dataset)


@pytest.mark.parametrize("name", ["lock", *(f"dataset.sqlite{end}" for end in ("", "-wal", "-shm", "-journal"))])
@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder"])
def test_only_regular_files_are_written(tmp_path, name, kind):
    run, other = tmp_path / "run", tmp_path / "precious"
    run.mkdir()
    if kind == "link":
        other.write_text("precious")
    if "link" in kind:
        (run / name).symlink_to(other)
    elif kind == "fifo":
        os.mkfifo(run / name)
    else:
        (run / name).mkdir()
    with pytest.raises(DatasetError, match=rf"{name}: is (a link|not a file)"):
        Dataset(run)
    assert other.exists() == (kind == "link")
    if kind == "link":
        assert other.read_text() == "precious"


def test_a_lock_that_is_a_hard_link_is_not_overwritten(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "run").mkdir()
    os.link(tmp_path / "precious", tmp_path / "run" / "lock")
    with pytest.raises(DatasetError, match="lock: is a link"):
        Dataset(tmp_path / "run")
    assert (tmp_path / "precious").read_text() == "precious"


def test_for_a_folder_of_runs_these_are_named(tmp_path):
    folder = tmp_path / "my runs"
    with open_dataset(folder / "a"), open_dataset(folder / "b"), pytest.raises(DatasetError) as caught:
        Dataset(folder, read_only=True)
    assert caught.value.next_step == f"name one of the runs in it, such as '{folder}/a', '{folder}/b'"
