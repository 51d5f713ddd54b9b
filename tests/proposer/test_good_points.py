"""`good_points.csv` as a scan goes on and ends: always whole, whatever comes in between."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from proposer.run.columns import Columns
from proposer.run.dataset import Dataset, Outcome
from proposer.run.stored import CHUNK
from proposer.run.tables import GoodPoints
from proposer.target import Target
from proposer.types import Batch, Status

VARIABLES, OBSERVABLES = ["x", "y"], ["a", "b"]


class Interrupting(Dataset):
    """A dataset at which an interrupt comes while good points are read."""

    parts = 10**9  # that are read before it comes

    def good_rows(
        self, target: Target, *, first_batch: int = 1, last_batch: int | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        for part in super().good_rows(target, first_batch=first_batch, last_batch=last_batch):
            if self.parts == 0:
                self.parts = 10**9
                raise KeyboardInterrupt
            self.parts -= 1
            yield part


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Interrupting]:
    with Interrupting(tmp_path) as made:
        made.start(Columns.named(VARIABLES, OBSERVABLES, ["code"]))
        yield made


def ask(dataset: Dataset, points: int) -> list[int]:
    u = np.random.default_rng(dataset.points).random((points, 2))
    return [int(point) for point in dataset.add_batch(Batch(u, ["random"] * points, dataset.batches), u, b"").ids]


def answer(dataset: Dataset, ids: list[int]) -> None:
    """Every third point is bad, and every seventh has no second observable."""
    dataset.record(
        [
            Outcome(
                point,
                Status.OK,
                nll=float(1 + 4 * (point % 3 == 0)),
                observables=[point / 7, np.nan if point % 7 == 0 else 1e300],
                losses=[1.0, 0.0],
                missing=[1] if point % 7 == 0 else [],
            )
            for point in ids
        ]
    )


def table(dataset: Dataset) -> GoodPoints:
    return GoodPoints(dataset.path.parent / "good_points.csv", VARIABLES, OBSERVABLES, Target(2.0))


def ids_in(path: Path) -> list[int]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "iteration", "origin", *VARIABLES, *OBSERVABLES, "NLL"]
    assert {len(row) for row in rows} <= {len(header)}
    return [int(row[0]) for row in rows]


def good(ids: list[int]) -> list[int]:
    return [point for point in ids if point % 3]


def test_rows_hold_what_was_stored_to_the_last_digit(dataset: Dataset) -> None:
    answer(dataset, ask(dataset, 20))
    table(dataset).rewrite(dataset)
    with (dataset.path.parent / "good_points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (results,) = dataset.results()
    for row in rows:
        k = int(row["id"]) - 1
        assert [float(row[name]) for name in VARIABLES] == results.params[k].tolist()
        assert float(row["a"]) == results.observables[k, 0]
        assert row["b"] == ("" if int(row["id"]) % 7 == 0 else "1e+300")
        assert (row["origin"], float(row["NLL"])) == ("random", 1.0)


def test_the_end_adds_what_incomplete_batches_have(dataset: Dataset) -> None:
    good_points = table(dataset)
    answer(dataset, first := ask(dataset, 30))
    good_points.start(dataset)
    answer(dataset, second := ask(dataset, 30))
    answer(dataset, third := ask(dataset, 30)[:10])
    good_points.add(dataset)
    assert ids_in(good_points.path) == good(first + second)
    before = good_points.path.stat().st_ino
    good_points.finish(dataset)
    assert ids_in(good_points.path) == good(first + second + third)
    assert good_points.path.stat().st_ino == before  # a million rows are not written once more
    good_points.finish(dataset)  # as after an error at the very end
    assert ids_in(good_points.path) == good(first + second + third)


@pytest.mark.parametrize("parts", [0, 1])
def test_an_interrupt_while_points_are_added_leaves_a_whole_file(dataset: Interrupting, parts: int) -> None:
    good_points = table(dataset)
    answer(dataset, first := ask(dataset, 10))
    good_points.start(dataset)
    answer(dataset, second := ask(dataset, 3 * CHUNK))
    dataset.parts = parts
    with pytest.raises(KeyboardInterrupt):
        good_points.add(dataset)
    good_points.finish(dataset)
    assert ids_in(good_points.path) == good(first + second)


ON_A_FULL_DISK = """
import os, resource, sys
from pathlib import Path
from proposer.run.columns import Columns
from proposer.run.dataset import Dataset
from proposer.run.files import NoRoom
from tests.proposer import test_good_points as made

with Dataset(Path(sys.argv[1])) as dataset:
    dataset.start(Columns.named(made.VARIABLES, made.OBSERVABLES, ["code"]))
    table = made.table(dataset)
    made.answer(dataset, made.ask(dataset, 30))
    table.start(dataset)
    before = table.path.read_bytes()
    made.answer(dataset, made.ask(dataset, int(sys.argv[2])))
    # the system gives the same error as for a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, resource.RLIM_INFINITY))
    for write in (table.add, table.finish, table.finish):
        try:
            write(dataset)
        except NoRoom as error:
            print(error)
        assert table.path.read_bytes() == before
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    table.finish(dataset)
"""


@pytest.mark.parametrize("points", [9, 900])  # less than what Python gathers before it writes, and more
def test_a_full_disk_leaves_the_rows_that_were_there(tmp_path: Path, points: int) -> None:
    command = [sys.executable, "-B", "-c", ON_A_FULL_DISK, str(tmp_path), str(points)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("good_points.csv: cannot be written (File too large)") == 3
    assert ids_in(tmp_path / "good_points.csv") == good(list(range(1, 31 + points)))


def test_an_interrupt_while_all_is_written_leaves_the_old_file(dataset: Interrupting) -> None:
    good_points = table(dataset)
    answer(dataset, first := ask(dataset, 10))
    good_points.rewrite(dataset)
    answer(dataset, ask(dataset, 3 * CHUNK))
    dataset.parts = 1
    with pytest.raises(KeyboardInterrupt):
        good_points.rewrite(dataset)
    assert ids_in(good_points.path) == good(first)
    assert [path.name for path in dataset.path.parent.glob("*.new")] == []
