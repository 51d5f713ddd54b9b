"""Somebody cuts off or removes the files of a dataset while a scan writes them."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from proposer.run.dataset import Dataset, DatasetError
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
    tmp_path: Path, left: int, *, within: bool
) -> None:
    """Also within a transaction, which then writes behind what was cut off."""
    wal = tmp_path / "dataset.sqlite-wal"

    def harm(statement: str) -> None:
        if statement.startswith("COMMIT") is within:
            os.truncate(wal, left)

    with open_dataset(tmp_path) as dataset:
        for number in range(20):
            dataset.set_meta({f"a{number}": number})
        assert wal.stat().st_size > 20_000
        dataset._db.set_trace_callback(harm)  # noqa: SLF001  # to come between check and commit
        with pytest.raises(DatasetError, match=CUT_OFF):
            dataset.set_meta({"b": 2})
    with Dataset(tmp_path) as dataset:
        assert dataset.meta()["begun"] and "b" not in dataset.meta()
        dataset.set_meta({"d": 4})
        assert dataset.meta()["d"] == 4


def test_a_wal_that_begins_anew_is_no_harm(tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset, closing(sqlite3.connect(tmp_path / "dataset.sqlite")) as other:
        for number in range(60):
            dataset.set_meta({"a": [number] * 2000})
            if number % 7 == 0:
                other.execute("PRAGMA wal_checkpoint(FULL)")
        assert dataset.meta()["a"][0] == 59


def test_a_dataset_that_is_cut_off_ends_the_scan(tmp_path: Path) -> None:
    with open_dataset(tmp_path) as dataset:
        dataset.set_meta({"a": 1})
        os.truncate(tmp_path / "dataset.sqlite", 0)
        with pytest.raises(DatasetError, match=r"dataset\.sqlite: was cut off while the scan worked on it"):
            dataset.set_meta({"b": 2})
