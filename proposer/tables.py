"""Tables of a run for other programs: `good_points.csv` as the scan goes on, and exports of all points."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from proposer.dataset import Dataset, Results
from proposer.strategies.base import Status


class MissingPackage(RuntimeError):
    """A format needs a package that is not installed."""


class GoodPoints:
    """`good_points.csv`: one row a good point, with id, iteration, origin, variables, observables and NLL.

    Made anew from the dataset when a scan starts or goes on, and then added to batch by batch.
    """

    def __init__(self, path: Path, variables: list[str], observables: list[str], threshold: float) -> None:
        self.path = path
        self._variables, self._observables, self._threshold = variables, observables, threshold

    def rewrite(self, dataset: Dataset) -> None:
        """Writes every good point of batches that are complete."""
        temporary = self.path.with_suffix(".new")
        header = ["id", "iteration", "origin", *self._variables, *self._observables, "NLL"]
        temporary.write_text(pd.DataFrame(columns=header).to_csv(index=False))
        self._append(temporary, dataset, 1)
        os.replace(temporary, self.path)

    def add(self, dataset: Dataset, batch: int) -> None:
        """Adds the good points of one batch."""
        self._append(self.path, dataset, batch)

    def _append(self, path: Path, dataset: Dataset, first_batch: int) -> None:
        for part in dataset.results(len(self._observables), first_batch=first_batch, nll_below=self._threshold):
            frame = to_frame(part, self._variables, self._observables)
            frame = frame[["id", "iteration", "origin", *self._variables, *self._observables, "NLL"]]
            frame.to_csv(path, mode="a", header=False, index=False)


def to_frame(part: Results, variables: list[str], observables: list[str]) -> pd.DataFrame:
    """Results as a table; missing observables are empty (NaN), a code's own NaN is too: `missing` tells them apart."""
    seconds = np.array([each.sum() for each in part.seconds])
    columns: dict[str, object] = {
        "id": part.ids,
        "iteration": part.iterations,
        "origin": part.origins,
        "status": [Status(each).name for each in part.status],
        **{name: part.params[:, j] for j, name in enumerate(variables)},
        **{name: part.observables[:, j] for j, name in enumerate(observables)},
        "NLL": part.nll,
        "seconds": seconds,
        "failed_code": part.failed_code,
        "message": part.message,
        "warnings": ["; ".join(each) for each in part.warnings],
        "missing": [";".join(observables[j] for j in each if j < len(observables)) for each in part.missing],
    }
    return pd.DataFrame(columns)


def export(folder: Path, kind: str) -> Path:
    """Writes every answered point of a run to `points.csv` or `points.parquet` in its folder; returns the path.

    Raises DatasetError when there is no run, MissingPackage for Parquet without pyarrow.
    """
    with Dataset(folder, read_only=True) as dataset:
        meta = dataset.meta()
        variables, observables = list(meta["variables"]), list(meta["observables"])
        frames = (to_frame(part, variables, observables) for part in dataset.results(len(observables)))
        path = folder / f"points.{kind}"
        temporary = folder / f"points.{kind}.new"
        if kind == "csv":
            _write_csv(temporary, frames)
        else:
            _write_parquet(temporary, frames)
        os.replace(temporary, path)
    return path


def _write_csv(path: Path, frames: Iterator[pd.DataFrame]) -> None:
    path.write_text("")
    for number, frame in enumerate(frames):
        frame.to_csv(path, mode="a", header=number == 0, index=False)


def _write_parquet(path: Path, frames: Iterator[pd.DataFrame]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingPackage("Parquet needs pyarrow: pip install 'lodescan[parquet]', or use --format csv") from error
    writer = None
    try:
        for frame in frames:
            table = pyarrow.Table.from_pandas(frame, preserve_index=False)
            writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
