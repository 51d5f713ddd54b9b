"""The dataset on the disk: what was committed survives kills and full disks, and one process at a time writes."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from proposer.run.dataset import Dataset, DatasetError, FolderInUse
from tests.proposer.datasets import add, batch, ok, open_dataset


def test_one_process_at_a_time_holds_the_folder_but_any_may_read(tmp_path):
    with open_dataset(tmp_path) as dataset:
        add(dataset, batch(2))
        with pytest.raises(FolderInUse, match=f"in use by process {os.getpid()} on "):
            Dataset(tmp_path)
        with Dataset(tmp_path, read_only=True) as reader:
            assert reader.points == 2
            with pytest.raises(DatasetError, match="readonly"):
                reader.set_meta({"a": 1})
    Dataset(tmp_path).close()


def test_a_folder_without_a_dataset_is_not_a_run_and_stays_empty(tmp_path):
    with pytest.raises(DatasetError, match="not the folder of a run"):
        Dataset(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"file/run: cannot be written \(Not a directory\)"):
        Dataset(tmp_path / "file" / "run")


def test_a_file_of_another_format_or_no_database_is_refused_and_the_folder_released(tmp_path):
    (tmp_path / "dataset.sqlite").write_bytes(b"not a database, but long enough to be read as one" * 30)
    for _ in range(2):
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: file is not a database"):
            Dataset(tmp_path)
    (tmp_path / "dataset.sqlite").unlink()
    with sqlite3.connect(tmp_path / "dataset.sqlite") as other:
        other.execute("CREATE TABLE a (b)")
        other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(DatasetError, match="has format 99, but this lodescan reads 4"):
        Dataset(tmp_path)


def test_a_full_disk_is_named_and_what_was_committed_is_kept(connections, dataset):
    (db,) = connections
    add(dataset, batch(2))
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0] + 2}")
    with pytest.raises(DatasetError, match=r"dataset.sqlite: database or disk is full; check the disk"):
        add(dataset, batch(2000, seed=1), b"x" * 100_000)
    db.execute("PRAGMA max_page_count = 100000")
    assert (dataset.points, dataset.batches, dataset.latest_checkpoint()) == (2, 1, (1, b"state"))
    assert dataset.record([ok(1)]) == 1
    assert len(add(dataset, batch(2000, seed=1)).ids) == 2000


@pytest.mark.parametrize("failing", ["INSERT INTO batches", "INSERT INTO points"])
def test_a_batch_is_stored_completely_or_not_at_all(dataset, failing):
    add(dataset, batch(2))
    table = failing.split()[-1]
    other = sqlite3.connect(dataset.path, isolation_level=None)
    other.execute(f"CREATE TRIGGER stop BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'stopped'); END")
    with pytest.raises(DatasetError, match="stopped"):
        add(dataset, batch(3, seed=1), b"newer")
    assert (dataset.points, dataset.batches, dataset.latest_checkpoint()) == (2, 1, (1, b"state"))
    other.execute("DROP TRIGGER stop")
    other.close()
    assert add(dataset, batch(3, seed=1)).ids.tolist() == [3, 4, 5]


KILLED = """
    import itertools, os, sys
    import numpy as np
    import proposer.run.opening
    from proposer.run.dataset import Dataset
    from proposer.types import Batch, Outcome, Status
    from tests.proposer.datasets import open_dataset, with_nll

    proposer.run.opening.journal_mode = lambda _: sys.argv[2]
    dataset = open_dataset(sys.argv[1])
    for number in itertools.count(dataset.batches):
        u = np.random.default_rng(number).random((20, 2))
        added = dataset.add_batch(Batch(u, ["x"] * 20, number), u, str(number).encode() * 5000)
        print("asked", number, flush=True)
        for part in np.split(added.ids, 4):
            dataset.record([Outcome(int(point), Status.OK, float(point)) for point in part])
            print("recorded", int(part[-1]), flush=True)
"""


@pytest.mark.parametrize(("mode", "after"), [("WAL", 1), ("WAL", 8), ("WAL", 40), ("DELETE", 3), ("DELETE", 23)])
def test_what_was_committed_survives_sigkill(tmp_path, monkeypatch, mode, after):
    monkeypatch.setattr("proposer.run.opening.journal_mode", lambda _: mode)
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), mode]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline().split() for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    lines += [line.split() for line in process.stdout.read().splitlines()]
    process.stdout.close()
    recorded = max((int(number) for word, number in lines if word == "recorded"), default=0)
    asked = max(int(number) for word, number in lines if word == "asked")
    with open_dataset(tmp_path) as dataset:
        results = [point for chunk in dataset.results() for point in chunk.ids.tolist()]
        assert results == list(range(1, len(results) + 1))
        assert recorded <= len(results) <= recorded + 5
        assert asked + 1 <= dataset.batches <= asked + 2
        number, state = dataset.latest_checkpoint()
        assert number == dataset.batches
        assert state == str(number - 1).encode() * 5000
        assert dataset.points == 20 * dataset.batches
        pending = dataset.pending().ids.tolist()
        assert sorted(results + pending) == list(range(1, dataset.points + 1))
        assert dataset.record([ok(point) for point in pending]) == len(pending)


@contextlib.contextmanager
def read_only(folder):
    """Nobody can write into this folder within the block. For root, this takes a mount, which a container may
    refuse.
    """
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    if subprocess.run(["mount", "--bind", folder, folder], check=False).returncode != 0:
        pytest.skip("root cannot mount here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_last_results_that_can_only_be_read_in_a_copy_are_named(tmp_path, monkeypatch):
    """They are in the WAL, and SQLite makes a file beside it to read it."""
    monkeypatch.setattr("proposer.run.opening.journal_mode", lambda _: "WAL")
    copy = tmp_path / "a copy"
    copy.mkdir()
    with open_dataset(tmp_path / "run") as dataset:
        add(dataset, batch(3))
        for name in ("dataset.sqlite", "dataset.sqlite-wal"):
            shutil.copy(tmp_path / "run" / name, copy)
    with read_only(copy):
        with pytest.raises(DatasetError, match=r"the last results are in dataset\.sqlite-wal") as caught:
            Dataset(copy, read_only=True)
        assert f"cp -r '{copy}' COPY" in caught.value.next_step
        subprocess.run(["cp", "-r", copy, tmp_path / "COPY"], check=True)
    with Dataset(tmp_path / "COPY", read_only=True) as reader:
        assert reader.points == 3


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_the_dataset_is_durable_in_both_modes(tmp_path, monkeypatch, connections, mode):
    monkeypatch.setattr("proposer.run.opening.journal_mode", lambda _: mode)
    with open_dataset(tmp_path) as dataset:
        assert connections[-1].execute("PRAGMA journal_mode").fetchone()[0] == mode.lower()
        add(dataset, batch(3))
        assert connections[-1].execute("PRAGMA synchronous").fetchone()[0] == 2
        assert dataset.record([ok(1)]) == 1
        assert (tmp_path / "dataset.sqlite-wal").exists() == (mode == "WAL")
