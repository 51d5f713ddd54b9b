"""The files of a dataset are cut off or removed while a scan writes them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from proposer.run.dataset import Dataset, DatasetError
from proposer.types import Batch
from tests.proposer.datasets import open_dataset

CUT_OFF = r"dataset\.sqlite-wal: was cut off while the scan worked on it"


def replace(file: Path) -> None:
    shutil.copy(file, file.with_name("copy"))
    os.replace(file.with_name("copy"), file)


@pytest.mark.parametrize("harm", [os.unlink, replace])
def test_a_wal_that_is_removed_ends_the_scan_and_loses_nothing(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"a": 1})
        harm(tmp_path / "dataset.sqlite-wal")
        with pytest.raises(DatasetError, match=r"dataset\.sqlite-wal: was removed or replaced while the scan worked"):
            dataset.set_meta({"b": 2})
    with Dataset(tmp_path) as dataset:
        assert (dataset.meta()["a"], "b" in dataset.meta()) == (1, False)


@pytest.mark.parametrize("left", [0, 18, 30, 9000])
@pytest.mark.parametrize("within", [False, True])
def test_a_wal_that_is_cut_off_ends_the_scan_which_goes_on_with_what_is_left(
    tmp_path: Path, connections: list[sqlite3.Connection], left: int, *, within: bool
) -> None:
    """`within`: the file is cut off inside a transaction, which then writes behind the cut."""
    wal = tmp_path / "dataset.sqlite-wal"

    def harm(statement: str) -> None:
        if statement.startswith("COMMIT") is within:
            os.truncate(wal, left)

    with open_dataset(tmp_path) as dataset:
        for number in range(20):
            dataset.set_meta({f"a{number}": number})
        assert wal.stat().st_size > 20_000
        connections[-1].set_trace_callback(harm)  # called between the check and the commit
        with pytest.raises(DatasetError, match=CUT_OFF):
            dataset.set_meta({"b": 2})
    with Dataset(tmp_path) as dataset:
        assert dataset.meta()["begun"] and "b" not in dataset.meta()
        dataset.set_meta({"d": 4})
        assert dataset.meta()["d"] == 4


def test_a_wal_that_starts_again_does_no_harm(tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset, closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as other:
        for number in range(60):
            dataset.set_meta({"a": [number] * 2000})
            if number % 7 == 0:
                other.execute("PRAGMA wal_checkpoint(FULL)")
        assert dataset.meta()["a"][0] == 59


READ = "SELECT count(*) FROM points"
CHECKPOINTS = [f"PRAGMA wal_checkpoint({mode})" for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE")]


@pytest.mark.parametrize(
    "statements", [[READ], *([READ, one] for one in CHECKPOINTS), [CHECKPOINTS[3]] * 3, CHECKPOINTS]
)
@pytest.mark.parametrize("within", [False, True])
def test_another_program_may_read_and_checkpoint_while_a_scan_writes(
    tmp_path: Path, connections: list[sqlite3.Connection], statements: list[str], *, within: bool
) -> None:
    """SQLite's shell, datasette and DuckDB do so; `within`: between the scan's look at its files and its commit."""
    program = (
        "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in sys.argv[2:]:\n    db.execute(statement).fetchall()\ndb.close()\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "dataset.sqlite"), *statements]

    def other(statement: str) -> None:
        if statement.startswith("BEGIN"):
            subprocess.run(command, check=True)

    with open_dataset(tmp_path) as dataset:
        for number in range(3):
            dataset.set_meta({f"a{number}": [number] * 3000})
        if within:
            connections[-1].set_trace_callback(other)
        else:
            subprocess.run(command, check=True)
        dataset.set_meta({"b": 1})
        connections[-1].set_trace_callback(None)
        for number in range(3):
            dataset.set_meta({"b": number})
        copy = tmp_path / "killed"
        shutil.copytree(tmp_path, copy)
    for folder in (tmp_path, copy):
        with Dataset(folder) as dataset:
            meta = dataset.meta()
            assert (meta["b"], [meta[f"a{number}"][0] for number in range(3)]) == (2, [0, 1, 2])


@pytest.mark.parametrize("look", [1, 2])
def test_another_program_may_empty_the_wal_while_the_scan_looks_at_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, look: int
) -> None:
    """Between the status of the file and its header, of the look before a commit (1) or after it (2)."""
    looks = 0

    with open_dataset(tmp_path) as dataset, closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as other:
        for number in range(3):
            dataset.set_meta({f"a{number}": [number] * 3000})
        os_open = os.open

        def emptied_before(path: str, flags: int) -> int:
            nonlocal looks
            looks += path.endswith("-wal")
            if looks == look and path.endswith("-wal"):
                assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
                assert (tmp_path / "dataset.sqlite-wal").stat().st_size == 0
            return os_open(path, flags)

        with monkeypatch.context() as patched:
            patched.setattr("proposer.run.written.os.open", emptied_before)
            for number in range(3):
                dataset.set_meta({"b": number})
        assert looks == 6
    with Dataset(tmp_path) as dataset:
        meta = dataset.meta()
        assert (meta["b"], [meta[f"a{number}"][0] for number in range(3)]) == (2, [0, 1, 2])


def test_a_look_at_the_index_leaves_the_lock_on_it(tmp_path: Path) -> None:
    """A process that closes a file loses its POSIX locks on it (sqlite.org/howtocorrupt.html, section 2.2). Without
    this lock, at byte 128, the next program would make the index anew below the scan.
    """
    program = "import fcntl, sys\nfcntl.lockf(open(sys.argv[1], 'rb+'), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)\n"
    take = [sys.executable, "-c", program, str(tmp_path / "dataset.sqlite-shm")]
    with open_dataset(tmp_path) as dataset, closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as other:
        dataset.set_meta({"a": 1})
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        dataset.set_meta({"b": 2})
        done = subprocess.run(take, capture_output=True, text=True, check=False)
        assert "BlockingIOError" in done.stderr
    with Dataset(tmp_path) as dataset:
        assert (dataset.meta()["a"], dataset.meta()["b"]) == (1, 2)


def test_a_commit_that_changes_nothing_does_no_harm(tmp_path: Path) -> None:
    """If it is the first commit after the file was opened, it makes an empty WAL."""
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"a": 1})
    with Dataset(tmp_path) as dataset:
        dataset.record([])
        dataset.replace([])
        dataset.set_meta({"b": 2})
    with Dataset(tmp_path) as dataset:
        assert (dataset.meta()["a"], dataset.meta()["b"]) == (1, 2)


@pytest.mark.parametrize("part", [24, 600, 2048, 3000])
def test_a_part_of_a_page_left_by_a_kill_does_no_harm(tmp_path: Path, part: int) -> None:
    """It lies behind whole pages that were not committed, so that smaller commits do not overwrite it."""
    copy = tmp_path / "copy"
    with open_dataset(tmp_path) as dataset:
        for number in range(3):
            dataset.set_meta({f"a{number}": [number] * 50})
        shutil.copytree(tmp_path, copy)  # the files that a kill would leave
    page = (copy / "dataset.sqlite-wal").read_bytes()[-4120:]
    with (copy / "dataset.sqlite-wal").open("ab") as wal:
        wal.write(page * 8 + page[:part])
    with Dataset(copy) as dataset:
        for number in range(4):
            dataset.set_meta({"b": number})
        assert (dataset.meta()["a2"][0], dataset.meta()["b"]) == (2, 3)


def test_a_wal_that_sqlite_makes_smaller_does_no_harm(tmp_path: Path, connections: list[sqlite3.Connection]) -> None:
    """The smaller size is not a whole number of pages."""
    with open_dataset(tmp_path) as dataset:
        limit, checkpoint = 1_000_000, bytes(1_500_000)
        connections[-1].execute(f"PRAGMA journal_size_limit = {limit}")  # smaller than the limit of a scan
        u = np.random.default_rng(1).random((10, len(dataset.columns.variables)))
        with closing(sqlite3.connect(tmp_path / "dataset.sqlite", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM meta").fetchone()  # keeps the WAL from starting again
            for row in u[:5]:
                dataset.add_batch(Batch(row[None], ["start"], 1), row[None], checkpoint)
            assert (tmp_path / "dataset.sqlite-wal").stat().st_size > 2 * limit
            reader.execute("COMMIT")
        for row in u[5:]:
            dataset.add_batch(Batch(row[None], ["start"], 1), row[None], b"")
        assert (tmp_path / "dataset.sqlite-wal").stat().st_size == limit


def test_a_dataset_that_is_cut_off_ends_the_scan(tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"a": 1})
        os.truncate(tmp_path / "dataset.sqlite", 0)
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: was cut off while the scan worked on it"):
            dataset.set_meta({"b": 2})
