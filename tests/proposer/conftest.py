"""Fixtures for the tests of the proposer. Torch is imported inside of them, because the process of pytest-xdist that
only distributes tests does not need it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.proposer.stored_runs import FORMAT2

if TYPE_CHECKING:
    from proposer.run.dataset import Dataset


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks and matrices gain nothing from more threads, which wait for each other on a busy machine."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1, "blas"):
        yield
    torch.set_num_threads(before)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """LODE has few particles and trains for a short time."""
    from tests.proposer.searches import train

    train(monkeypatch, particles=100, networks=(50, 12, 30, 12), regression=1.0)


@pytest.fixture
def dataset(tmp_path: Path) -> Iterator[Dataset]:
    """A dataset that has begun."""
    from tests.proposer.datasets import open_dataset

    with open_dataset(tmp_path / "run") as opened:
        yield opened


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """SQLite's connections of the datasets that the test opens for writing, the newest last.

    For settings and callbacks that belong to a connection; a second connection to the file does for the rest.
    """
    from proposer.run import dataset, opening

    made: list[sqlite3.Connection] = []

    def open_writable(path: Path) -> tuple[sqlite3.Connection, bool]:
        db, has_wal = opening.open_writable(path)
        made.append(db)
        return db, has_wal

    monkeypatch.setattr(dataset, "open_writable", open_writable)
    return made


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """A run of the last lodescan of format 2, which was killed before its end."""
    shutil.copytree(FORMAT2 / "run", tmp_path / "run")
    return tmp_path / "run"
