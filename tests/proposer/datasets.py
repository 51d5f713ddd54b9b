"""Datasets for tests, whose points have numbered variables, observables and codes."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import numpy as np

from proposer.run.columns import Columns
from proposer.run.dataset import Added, Dataset, Outcome
from proposer.types import Batch, Status


def columns(dim: int = 2, observables: int = 3, codes: int = 2) -> Columns:
    """The columns of variables v0, v1, ..., observables o0, o1, ..., and codes c0, c1, ..."""
    return Columns.named(
        [f"v{k}" for k in range(dim)], [f"o{k}" for k in range(observables)], [f"c{k}" for k in range(codes)]
    )


def open_dataset(folder: Path | str, dim: int = 2, observables: int = 3, codes: int = 2) -> Dataset:
    """Opens the dataset in a folder; starts it if there is none."""
    dataset = Dataset(folder)
    if not dataset.batches and not dataset.meta():
        dataset.start(columns(dim, observables, codes), {"begun": True})
    return dataset


def batch(n: int, seed: int = 0, origin: str = "bootstrap", iteration: int = 0, dim: int = 2) -> Batch:
    """A batch of random points."""
    return Batch(np.random.default_rng(seed).random((n, dim)), [origin] * n, iteration)


def add(dataset: Dataset, made: Batch, checkpoint: bytes = b"state") -> Added:
    """Stores a batch whose variables are from 0 to 100."""
    return dataset.add_batch(made, made.u * 100, checkpoint)


def ok(point: int, nll: float = 1.0) -> Outcome:
    """An OK point with an observable that is NaN."""
    return Outcome(
        point, Status.OK, nll=nll, observables=[1.0, 2.0, math.nan], losses=[0.5, nll - 0.5, 0.0], seconds=[0.25]
    )


def count(path: Path, condition: str) -> int:
    """How many points fulfil a condition of SQL, in a dataset that another process may be just making."""
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as db:
        try:
            return int(db.execute(f"SELECT count(*) FROM points WHERE {condition}").fetchone()[0])
        except sqlite3.OperationalError:  # there is no table yet
            return 0


def with_nll(nll: Iterable[float]) -> list[Outcome | None]:
    """The known outcomes of points that come with an NLL; None where the NLL is NaN."""
    return [None if math.isnan(value) else Outcome(0, Status.OK, float(value)) for value in nll]
