"""Files that were changed, cut off, removed or made by another version: a clear end that names the file, or no harm."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proposer.commands import status
from proposer.run import tables
from proposer.run.dataset import Dataset, DatasetError
from proposer.run.files import NoRoom
from proposer.run.folder import FolderInUse, FolderLock
from proposer.run.spectra import save_spectra
from proposer.show.plots import plot
from proposer.space import Space
from proposer.strategies.choice import TYPES, make_strategy
from proposer.target import Target
from proposer.telling import InOrder
from proposer.types import Batch, Outcome, Status
from scanspec import Variable, read_scan_file
from tests.proposer.datasets import columns, open_dataset

DATA = Path(__file__).parents[1] / "data" / "format2"
SCAN = """\
variables: {v0: [0, 100], v1: [0, 100]}
codes: {c0: {function: "a:b", observables: {o0: {mean: 1, sigma: 1}, o1: {}, o2: {}}}}
"""
CUBE = Space([Variable("v0", 0.0, 1.0), Variable("v1", 0.0, 1.0)])
META = {
    "variables": ["v0", "v1"],
    "observables": ["o0", "o1", "o2"],
    "codes": ["c0", "c1"],
    "points": 9,
    "threshold": 2.0,
    "seconds": 1.0,
    "seed": 1,
    "backend": "b",
}


def filled(folder: Path, batches: int = 12) -> None:
    """A run with everything that a row may hold, closed in order."""
    with Dataset(folder) as dataset:
        dataset.start(columns(), META)
        rng = np.random.default_rng(0)
        for number in range(batches):
            u = rng.random((15, 2))
            added = dataset.add_batch(Batch(u, ["random"] * 15, number), u * 100, rng.bytes(3000))
            if number == batches - 1:
                dataset.add_attempt(added.ids.tolist()[:3])
                continue
            dataset.record(
                [
                    Outcome(int(point), Status.OK, float(nll), [*rng.random(3)], [*rng.random(3)], [0.1, 0.2])
                    if nll > 0.3
                    else Outcome(int(point), Status.FAILED, None, (), (), [0.1], "c0", "no convergence", ["a doubt"])
                    for point, nll in zip(added.ids, rng.random(15), strict=True)
                ]
            )


def everything(folder: Path) -> list[object]:
    """All that a scan which goes on, an export and a status read."""
    with Dataset(folder) as dataset:
        pending, checkpoint = dataset.pending(), dataset.latest_checkpoint()
        found: list[object] = [dataset.meta(), dataset.counts(), dataset.count_known(), checkpoint, dataset.batches]
        found += [part.tolist() for part in pending]
        for part in dataset.results():
            found += [x.tolist() if isinstance(x, np.ndarray) else [*map(str, x)] for x in part]
    return [str(each) for each in found]


@pytest.mark.parametrize("part", range(4))
def test_a_changed_byte_is_found_or_does_no_harm(tmp_path, part, capsys):
    """Of 100 files with random bytes changed none gives other points, and none a traceback."""
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


@pytest.mark.parametrize("size", [600, 4096, 20_000])
def test_a_file_that_was_cut_off(tmp_path, size):
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
def test_rows_that_were_changed(tmp_path, damage):
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as db, db:
        db.execute(damage)
    with pytest.raises(DatasetError, match=r"dataset\.sqlite: .*; take it from a copy|dataset\.sqlite: no such table"):
        Dataset(tmp_path)
    Dataset_again = FolderLock(tmp_path)  # it was let go of
    Dataset_again.release()


@pytest.mark.parametrize("name", ["LODE", "MLS_DNNC", "CMAES", "SOBOL"])
@pytest.mark.parametrize("state", [b"", b"{}", b"PK\x03\x04 not quite", b'{"sobol": "many"}', b"\xff\xfe"])
def test_a_state_of_another_version_names_the_file(tmp_path, name, state):
    with open_dataset(tmp_path) as dataset:
        u = np.random.default_rng(0).random((3, 2))
        dataset.add_batch(Batch(u, ["x"] * 3, 0), u, state)
        (tmp_path / "scan.yaml").write_text(SCAN)
        strategy = make_strategy(name, CUBE, TYPES[name].read(read_scan_file(tmp_path / "scan.yaml")), 1)
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: the state of the search cannot be read"):
            InOrder(dataset, strategy).resume()


# A folder that was being made


@pytest.mark.parametrize("content", [None, b"", "wal"])
def test_a_kill_while_the_folder_is_made_leaves_a_run_that_has_not_started(tmp_path, content, capsys):
    if content == "wal":  # SQLite has written its header, and no table
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


def test_a_run_of_format_2_that_had_not_started_starts(tmp_path, old_run):
    with closing(sqlite3.connect(old_run / "dataset.sqlite")) as db, db:
        for table in ("meta", "batches", "places", "results", "checkpoint", "attempts"):
            db.execute(f"DELETE FROM {table}")
    (old_run / "good_points.csv").unlink()
    with Dataset(old_run) as dataset:
        assert (dataset.meta(), dataset.points) == ({}, 0)
    filled(old_run)


def test_a_program_that_holds_the_file_is_named_as_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr("proposer.run.opening.journal_mode", lambda _: "DELETE")
    with open_dataset(tmp_path) as dataset, closing(sqlite3.connect(dataset.path)) as other:
        dataset._db.execute("PRAGMA busy_timeout = 10")
        other.execute("BEGIN")
        other.execute("SELECT * FROM meta").fetchone()
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: another program holds it"):
            dataset.set_meta({"a": 1})
        other.execute("ROLLBACK")
        dataset.set_meta({"a": 1})


def test_a_start_that_fails_starts_nothing(tmp_path):
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
def test_a_folder_of_somebody_else_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    (tmp_path / ".hidden").write_text("")
    with pytest.raises(DatasetError, match=rf"holds files but no run \({name}\).*choose a new or empty folder"):
        Dataset(tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([".hidden", name])


# Kills inside a commit where there is no WAL

CUT_OFF = """
    import os, signal, sys
    import numpy as np
    import proposer.run.opening
    from proposer.types import Batch
    from tests.proposer.datasets import open_dataset

    proposer.run.opening.journal_mode = lambda _: "DELETE"
    dataset = open_dataset(sys.argv[1])
    u = np.random.default_rng(1).random((2000, 2))
    dataset.add_batch(Batch(u, ["x"] * 2000, 0), u, b"state")
    dataset._db.execute("PRAGMA cache_size = 5")  # so that pages are in the file before the commit
    dataset._db.execute("BEGIN IMMEDIATE")
    dataset._db.execute("UPDATE points SET origin = 'changed'")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def cut_off(tmp_path, monkeypatch):
    """A run without WAL that was killed inside a commit: SQLite must undo it before anybody reads."""
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


def test_a_reader_leaves_a_journal_to_the_one_who_works_there(cut_off):
    lock = FolderLock(cut_off)
    try:
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: "):
            Dataset(cut_off, read_only=True)
    finally:
        lock.release()
    assert (cut_off / "dataset.sqlite-journal").exists()


# The folder under a scan that runs


def test_another_process_stays_out_when_the_lock_is_removed(tmp_path):
    with open_dataset(tmp_path) as dataset:
        (tmp_path / "lock").unlink()
        with pytest.raises(FolderInUse, match="in use by"):
            Dataset(tmp_path)
        u = np.array([[0.5, 0.5]])
        dataset.add_batch(Batch(u, ["a"], 0), u, b"")  # and it goes on
    Dataset(tmp_path).close()


def test_without_locks_on_folders_a_removed_lock_ends_the_scan(tmp_path, monkeypatch):
    """As on NFS, where a folder cannot be locked."""
    with open_dataset(tmp_path) as dataset:
        monkeypatch.setattr(dataset._lock, "_alone", False)
        (tmp_path / "lock").unlink()
        with pytest.raises(DatasetError, match="lock: was removed or replaced, so another process may work"):
            dataset.set_meta({"a": 1})


@pytest.mark.parametrize("how", ["removed", "replaced", "folder"])
def test_a_dataset_that_is_removed_under_the_scan_ends_it(tmp_path, how):
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


@pytest.mark.parametrize("name", ["lock", "dataset.sqlite"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "fifo", "folder"])
def test_what_is_no_plain_file_is_not_written(tmp_path, name, kind):
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
    with pytest.raises(DatasetError, match=rf"{name}: is (a link|no )"):
        Dataset(run)
    assert other.exists() == (kind == "link")
    if kind == "link":
        assert other.read_text() == "precious"


def test_a_hard_link_as_lock_is_not_overwritten(tmp_path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "run").mkdir()
    os.link(tmp_path / "precious", tmp_path / "run" / "lock")
    with pytest.raises(DatasetError, match="lock: is a link"):
        Dataset(tmp_path / "run")
    assert (tmp_path / "precious").read_text() == "precious"


# A disk without room


@contextmanager
def no_file_beyond(size):
    """The system answers as it does when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("what", ["good_points.csv", "points.csv", "files/1/1.slha", "plots/v0-v1.pdf"])
def test_a_full_disk_names_the_file_and_leaves_what_was_there(tmp_path, what):
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
def test_what_is_written_follows_no_link(tmp_path, what):
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


# Format 2


@pytest.fixture
def old_run(tmp_path):
    """A run that the last lodescan of format 2 stored, killed on its way."""
    shutil.copytree(DATA / "run", tmp_path / "run")
    return tmp_path / "run"


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
        for place, point in enumerate(part.ids.tolist()):
            values = [each[place].tolist() if hasattr(each[place], "tolist") else each[place] for each in fields]
            found.append({"id": point, **dict(zip(names, values, strict=True))})
    return json.loads(json.dumps(found).replace("NaN", "null"))


@pytest.mark.parametrize("read_only", [True, False])
def test_a_folder_of_format_2_holds_what_it_held(old_run, read_only):
    expected = json.loads((DATA / "expected.json").read_text())["cut"]
    for point in expected["points"]:  # format 2 did not say it of points without any observable
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
        assert db.execute("PRAGMA user_version").fetchone()[0] == (2 if read_only else 3)


def test_status_and_export_read_format_2(old_run, capsys):
    assert status.status(old_run) == 0
    out = capsys.readouterr().out
    assert "evaluated: 33 (3 invalid, 0 failed, 0 timed out); 8 asked for that have no answer yet" in out
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
def test_a_kill_while_a_folder_is_converted_loses_nothing(old_run, step):
    expected = json.loads((DATA / "expected.json").read_text())["cut"]
    command = [sys.executable, "-c", textwrap.dedent(CONVERT), str(old_run), str(step)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with Dataset(old_run) as dataset:
        assert len(rows(dataset)) == len(expected["points"])
        assert len(dataset.pending().ids) == len(expected["pending"])
    assert sorted(each.name for each in old_run.iterdir() if "sqlite" in each.name) == ["dataset.sqlite"]


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


@pytest.mark.parametrize("version", [0, 1, 2, 4])
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
    with pytest.raises(DatasetError, match=r"has format 1, but this lodescan reads 3 .and converts 2"):
        Dataset(old_run)
