"""Files that were changed, cut off, removed or made by another version either do no harm or give a message that names
them.
"""

from __future__ import annotations

import os
import re
import resource
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing, contextmanager, suppress
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from proposer.commands import status
from proposer.commands.point import point
from proposer.run import tables
from proposer.run.dataset import Dataset, DatasetError
from proposer.run.files import NoRoom
from proposer.run.folder import FolderLock
from proposer.run.opening import wal_has_pages
from proposer.run.spectra import save_spectra
from proposer.show.plots import plot
from proposer.space import Space
from proposer.strategies.choice import TYPES, make_strategy
from proposer.target import Target
from proposer.telling import InOrder
from proposer.types import Batch, Outcome, Status
from scanspec import LodescanError, Variable, read_scan_file
from tests.proposer.datasets import open_dataset
from tests.proposer.stored_runs import SCAN, everything, filled

ROOT = Path(__file__).parents[2]
CUBE = Space([Variable("v0", 0.0, 1.0), Variable("v1", 0.0, 1.0)])


@pytest.mark.parametrize("part", range(4))
def test_a_changed_byte_is_found_or_does_no_harm(tmp_path, part, capsys):
    """Of 100 files with random changed bytes, none gives other points or a traceback."""
    filled(tmp_path / "whole")
    before = everything(tmp_path / "whole")
    content, rng, refused = (tmp_path / "whole" / "dataset.sqlite").read_bytes(), np.random.default_rng(part), 0
    for number in range(25):
        run = tmp_path / f"run{number}"
        run.mkdir()
        changed = bytearray(content)
        size = int(rng.choice([1, 1, 4, 64]))
        start = int(rng.integers(0, len(content) - size))
        changed[start : start + size] = rng.bytes(size)
        (run / "dataset.sqlite").write_bytes(changed)
        for command in (status.status, lambda folder: tables.export(folder, "csv"), everything):
            try:
                found = command(run)
            except DatasetError as error:
                refused += str(run / "dataset.sqlite") in str(error) or 1000
            else:
                assert not isinstance(found, list) or found == before
    assert 20 < refused < 1000


def test_swapped_pages_are_found(tmp_path):
    """A disk that lost a write leaves such files: each page is valid, but SQLite finds rows of another table."""
    filled(tmp_path / "whole")
    content = (tmp_path / "whole" / "dataset.sqlite").read_bytes()
    pages = [content[start : start + 4096] for start in range(0, len(content), 4096)]
    for first, second in combinations(range(7), 2):
        run = tmp_path / f"run{first}-{second}"
        run.mkdir()
        swapped = list(pages)
        swapped[first], swapped[second] = pages[second], pages[first]
        (run / "dataset.sqlite").write_bytes(b"".join(swapped))
        for command in (status.status, everything):
            with pytest.raises(DatasetError, match=re.escape(str(run / "dataset.sqlite"))):
                command(run)
        with suppress(LodescanError):  # the point may be on a page that is not damaged
            assert point(run, 3) == 0


def test_the_loss_of_what_a_run_stores_at_its_start_is_found(tmp_path):
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as db, db:
        db.execute("DELETE FROM meta WHERE key > 'seed'")
    with pytest.raises(DatasetError, match=r"dataset.sqlite: is damaged: the value of .* is missing"):
        status.status(tmp_path)


def test_a_manifest_that_is_not_a_mapping_does_no_harm(tmp_path, capsys):
    filled(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    assert status.status(tmp_path) == 0
    assert point(tmp_path, 3) == 0


@pytest.mark.parametrize("size", [600, 4096, 20_000])
def test_a_file_that_was_cut_off_is_found(tmp_path, size):
    filled(tmp_path)
    os.truncate(tmp_path / "dataset.sqlite", size)
    with pytest.raises(DatasetError, match=r"dataset\.sqlite: "):
        Dataset(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM points WHERE id = 7",
        "DELETE FROM points WHERE id > 170",
        "DELETE FROM batches WHERE number = 12",
        "UPDATE points SET v0 = v0 + 1e-9 WHERE id = 3",
        "UPDATE points SET NLL = 0 WHERE id = 3",
        "UPDATE points SET status = 'FINE' WHERE id = 3",
        "UPDATE points SET warnings = '[' WHERE warnings IS NOT NULL",
        "UPDATE meta SET value = '2' WHERE key = 'seed'",
        "UPDATE batches SET iteration = 99 WHERE number = 2",
        "UPDATE columns SET name = 'v7' WHERE name = 'v0'",
        "UPDATE checkpoint SET data = x'00'",
        "DROP TABLE meta",
        "DELETE FROM checkpoint",
        "ALTER TABLE points RENAME COLUMN v0 TO v9",
        "DELETE FROM columns WHERE name = 'v0'",
        "UPDATE points SET id = 500 WHERE id = 180",
        "UPDATE points SET attempts = 0",
    ],
)
def test_changed_rows_are_found(tmp_path, damage):
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as db, db:
        db.execute(damage)
    with pytest.raises(DatasetError, match=r"dataset\.sqlite: .*; take it from a copy"):
        Dataset(tmp_path)
    Dataset_again = FolderLock(tmp_path)  # the folder was released
    Dataset_again.release()


@pytest.mark.parametrize("name", ["LODE", "MLS_DNNC", "CMAES", "SOBOL"])
@pytest.mark.parametrize("state", [b"", b"{}", b"PK\x03\x04 not quite", b'{"sobol": "many"}', b"\xff\xfe"])
def test_a_checkpoint_of_another_version_is_refused_with_the_name_of_the_file(tmp_path, name, state):
    with open_dataset(tmp_path) as dataset:
        u = np.random.default_rng(0).random((3, 2))
        dataset.add_batch(Batch(u, ["x"] * 3, 0), u, state)
        (tmp_path / "scan.yaml").write_text(SCAN)
        strategy = make_strategy(name, CUBE, TYPES[name].read(read_scan_file(tmp_path / "scan.yaml")), 1)
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: the state of the search cannot be read"):
            InOrder(dataset, strategy).resume()


# Kills inside of a commit without WAL

CUT_OFF = """
    import os, signal, sqlite3, sys
    import numpy as np
    import proposer.run.opening
    from proposer.types import Batch
    from tests.proposer.datasets import open_dataset

    proposer.run.opening.journal_mode = lambda _: "DELETE"
    dataset = open_dataset(sys.argv[1])
    u = np.random.default_rng(1).random((2000, 2))
    dataset.add_batch(Batch(u, ["x"] * 2000, 0), u, b"state")
    dataset.close()
    db = sqlite3.connect(dataset.path, isolation_level=None)
    db.execute("PRAGMA cache_size = 5")  # so small that SQLite writes pages into the file before the commit
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE points SET origin = 'changed'")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def cut_off(tmp_path, monkeypatch):
    """A run without WAL that was killed inside of a commit, which SQLite must undo before anybody reads."""
    monkeypatch.setattr("proposer.run.opening.journal_mode", lambda _: "DELETE")
    subprocess.run([sys.executable, "-c", textwrap.dedent(CUT_OFF), str(tmp_path / "run")], check=False)
    assert (tmp_path / "run" / "dataset.sqlite-journal").stat().st_size > 0
    address = f"file:{tmp_path / 'run' / 'dataset.sqlite'}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True)) as db,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        db.execute("SELECT count(*) FROM points")
    return tmp_path / "run"


@pytest.mark.parametrize("read_only", [False, True])
def test_a_commit_that_was_cut_off_is_undone(cut_off, read_only):
    with Dataset(cut_off, read_only=read_only) as dataset:
        assert dataset.counts() == {("x", None): 2000}
        dataset.check()
    assert not (cut_off / "dataset.sqlite-journal").exists()


def test_a_reader_leaves_the_journal_to_the_process_that_holds_the_folder(cut_off):
    lock = FolderLock(cut_off)
    try:
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: "):
            Dataset(cut_off, read_only=True)
    finally:
        lock.release()
    assert (cut_off / "dataset.sqlite-journal").exists()


# A full disk


@contextmanager
def no_file_beyond(size):
    """Limits the size of files, so that the system gives the same error as for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("what", ["good_points.csv", "points.csv", "files/1/1.slha", "plots/v0-v1.pdf"])
def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path, what):
    filled(tmp_path)
    (tmp_path / "scan.yaml").write_text(SCAN)
    (tmp_path / what).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / what).write_text("as it was")
    commands = {
        "good_points.csv": lambda dataset: tables.GoodPoints(
            tmp_path / what, ["v0", "v1"], ["o0", "o1", "o2"], Target(2.0)
        ).rewrite(dataset),
        "points.csv": lambda _: tables.export(tmp_path, "csv"),
        "files/1/1.slha": lambda _: save_spectra(tmp_path, [Outcome(1, Status.OK, 0.5, spectra=[b"x" * 9000])]),
        "plots/v0-v1.pdf": lambda _: plot(tmp_path, ["v0", "v1"], None),
    }
    with Dataset(tmp_path, read_only=True) as dataset:
        words = rf"{what}: cannot be written \(File too large\); make room"
        with no_file_beyond(3000), pytest.raises(NoRoom, match=words):
            commands[what](dataset)
        assert (tmp_path / what).read_text() == "as it was"
        assert not list(tmp_path.rglob("*.new"))
        commands[what](dataset)
    assert (tmp_path / what).stat().st_size > 3000


@pytest.mark.parametrize("what", ["good_points.csv", "points.csv", "plots", "plots/v0-v1.pdf"])
def test_links_are_not_followed_when_files_are_written(tmp_path, what):
    run, precious = tmp_path / "run", tmp_path / "precious"
    filled(run)
    (run / "scan.yaml").write_text(SCAN)
    (run / what).parent.mkdir(parents=True, exist_ok=True)
    precious.mkdir() if what == "plots" else precious.write_text("precious")
    for name in (what, f"{what}.new"):
        (run / name).symlink_to(precious)
    with Dataset(run, read_only=True) as dataset:
        tables.GoodPoints(run / "good_points.csv", ["v0", "v1"], ["o0", "o1", "o2"], Target(2.0)).rewrite(dataset)
    tables.export(run, "csv")
    if what == "plots":
        with pytest.raises(DatasetError, match="plots: is a link"):
            plot(run, ["v0", "v1"], None)
        assert list(precious.iterdir()) == []
    else:
        plot(run, ["v0", "v1"], None)
        assert precious.read_text() == "precious"
        assert not (run / what).is_symlink()


def test_a_wal_may_vanish_between_two_looks_at_it(tmp_path, monkeypatch):
    """The last program that closes the file removes it; what it held is in the file."""
    monkeypatch.setattr(Path, "exists", lambda path: path.name.endswith("-wal"))  # as it was a moment ago
    assert not wal_has_pages(tmp_path / "dataset.sqlite")


def test_a_run_can_be_read_where_there_is_no_room_for_a_file_beside_it(tmp_path):
    """SQLite wants to make files beside a database even to read it."""
    filled(tmp_path)
    words = [sys.executable, "-B", "-m", "proposer", "status", str(tmp_path)]
    limited = ["bash", "-c", 'ulimit -f 0; exec "$@"', "bash", *words]  # the system answers as on a full disk
    for _ in range(2):  # also with what the first one has left there
        said = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        assert "evaluated: " in said.stdout
    with Dataset(tmp_path) as dataset:  # once there is room again, the scan goes on
        dataset.set_meta({"a": 1})
    with Dataset(tmp_path, read_only=True) as dataset:
        assert dataset.meta()["a"] == 1
