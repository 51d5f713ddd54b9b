"""Tables of a run for other programs: `good_points.csv`, which grows with the scan, and exports of all points."""

from __future__ import annotations

import csv
import importlib
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from proposer.run.dataset import Dataset, DatasetError, Results
from proposer.run.files import START, writing
from proposer.run.names import plain_names
from proposer.run.record import RunRecord
from proposer.target import Target
from proposer.types import Status
from scanspec import LodescanError

if TYPE_CHECKING:
    import pandas as pd


class MissingPackage(LodescanError, RuntimeError):
    """A format needs a package that is not installed."""


_BEFORE = ["id", "iteration", "origin", "status"]
_AFTER = ["NLL", "seconds", "failed_code", "message", "warnings", "missing"]

_TEXTS = ("origin", "status", "failed_code", "message", "warnings", "missing")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

GOOD_POINTS = "good_points.csv"
"""The name of the table of good points in the folder of a run."""


class GoodPoints:
    """`good_points.csv`: one row per good point, with id, iteration, origin, variables, observables and NLL; at most
    `most` points, those with the lowest ids.

    It is rewritten from the dataset when a scan starts or goes on, and then grows batch by batch. If the target follows
    the best NLL, this is the best NLL of the whole run.
    """

    def __init__(
        self, path: Path, variables: list[str], observables: list[str], target: Target, most: float = math.inf
    ) -> None:
        self.path = path
        self._most, self._rows = most, 0
        self._variables, self._observables, self._target = variables, observables, target
        self._last = 0  # the last batch that was added
        self._written = target  # with the threshold of the rows in the file
        self._is_whole = False  # whether the file has all good points up to that batch

    def start(self, dataset: Dataset) -> None:
        """Writes the good points of all complete batches."""
        self._last = dataset.complete_batches()
        self.rewrite(dataset, self._last)
        self._is_whole = True

    def rewrite(self, dataset: Dataset, last_batch: int | None = None) -> None:
        """Rewrites the table with all good points, up to batch `last_batch` if that is given.

        Writes nothing into another folder in the place of the run's.
        """
        if not dataset.is_in_place:
            return
        header = ["id", "iteration", "origin", *self._variables, *self._observables, "NLL"]
        self._written = dataset.now(self._target)
        with writing(self.path.parent, self.path.name) as file:
            file.write(_to_csv([[as_text(name) for name in header]]))
            self._rows = 0
            self._append(file, dataset, 1, last_batch)

    def add(self, dataset: Dataset) -> None:
        """Adds the good points of newly completed batches; rewrites the table if a lower NLL has moved the
        threshold.
        """
        if (complete := dataset.complete_batches()) > self._last:
            self._add(dataset, complete)
            self._last, self._is_whole = complete, True

    def finish(self, dataset: Dataset) -> None:
        """Adds the good points of incomplete batches, at the end of a scan. After an interrupt it is called again."""
        self._add(dataset, None)

    def _add(self, dataset: Dataset, last: int | None) -> None:
        if not dataset.is_in_place:
            return
        is_whole, self._is_whole = self._is_whole, False  # an interrupt may leave a part of what is added
        if is_whole and self.path.exists() and dataset.now(self._target) == self._written:
            with writing(self.path.parent, self.path.name, append=True) as file:
                self._append(file, dataset, self._last + 1, last)
        else:
            self.rewrite(dataset, last)

    def _append(self, file: BinaryIO, dataset: Dataset, first: int, last: int | None) -> None:
        values, observables = len(self._variables), len(self._observables)
        for part in dataset.good_rows(self._written, first_batch=first, last_batch=last):
            rows = part if len(part) <= self._most - self._rows else part[: int(self._most - self._rows)]
            self._rows += len(rows)
            file.write(
                _to_csv(
                    (id_, iteration, as_text(origin), *numbers[: values + observables], numbers[-1])
                    for id_, iteration, origin, *numbers in rows
                )
            )


def _to_csv(rows: Iterable[Sequence[object]]) -> bytes:
    """Numbers as short as they can be read back, and None as nothing."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def to_frame(part: Results, variables: list[str], observables: list[str]) -> pd.DataFrame:
    """Results as a table. An observable is NaN if it is missing, or if a code returned NaN. The column `missing` names
    the missing ones.
    """
    import pandas as pd

    seconds = np.array([seconds_of_codes.sum() for seconds_of_codes in part.seconds])
    columns: dict[str, object] = {
        "id": part.ids,
        "iteration": part.iterations,
        "origin": part.origins,
        "status": [Status(status).name for status in part.status],
        **{name: part.params[:, j] for j, name in enumerate(variables)},
        **{name: part.observables[:, j] for j, name in enumerate(observables)},
        "NLL": part.nll,
        "seconds": seconds,
        "failed_code": part.failed_code,
        "message": part.message,
        "warnings": ["; ".join(warning) for warning in part.warnings],
        "missing": [";".join(observables[j] for j in columns_missing) for columns_missing in part.missing],
    }
    return pd.DataFrame(columns)


def as_text(cell: str) -> str:
    """A text for a CSV file, with a ' in front if a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def from_text(cell: str) -> str:
    """The text that was given to `as_text`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _for_csv(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with texts and column names that spreadsheets do not take for formulas."""
    texts = {name: frame[name].map(as_text) for name in _TEXTS if name in frame}
    return frame.assign(**texts).rename(columns=as_text)


def export(folder: Path, kind: str) -> Path:
    """Writes all answered points of a run to `points.csv`, `.parquet` or `.h5` in its folder, and returns the path.

    Raises DatasetError if there is no run, and MissingPackage for Parquet without pyarrow or HDF5 without h5py.
    """
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
        if not record.variables:
            raise DatasetError(f"{folder}: the run has not started yet, so there is nothing to export", next_step=START)
        frames = _frames(dataset, record.variables, record.observables)
        with writing(folder, f"points.{kind}") as file:
            if kind == "csv":
                _write_csv(file, frames)
            elif kind == "h5":
                _write_hdf5(file, frames)
            else:
                _write_parquet(file, frames)
    return folder / f"points.{kind}"


def _frames(dataset: Dataset, variables: list[str], observables: list[str]) -> Iterator[pd.DataFrame]:
    import pandas as pd

    empty = True
    for part in dataset.results():
        empty = False
        yield to_frame(part, variables, observables)
    if empty:  # write the header at least
        yield pd.DataFrame(columns=[*_BEFORE, *variables, *observables, *_AFTER])


def _write_csv(file: BinaryIO, frames: Iterator[pd.DataFrame]) -> None:
    file.writelines(
        _for_csv(frame).to_csv(header=number == 0, index=False).encode() for number, frame in enumerate(frames)
    )


def _write_hdf5(file: BinaryIO, frames: Iterator[pd.DataFrame]) -> None:
    """Writes one dataset per column, in the group `points`."""
    import pandas as pd

    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise MissingPackage(
            "HDF5 needs h5py", next_step="pip install '.[exports]' in the clone, or use --format csv"
        ) from error
    table = pd.concat(list(frames), ignore_index=True)
    content = io.BytesIO()  # HDF5 reads back what it has written
    with h5py.File(content, "w") as written:
        group = written.create_group("points")
        for name, key in zip(table.columns, plain_names(list(table.columns), "/".__eq__), strict=True):
            column = table[name]
            if name in _TEXTS:
                group.create_dataset(key, data=column.astype(object).to_numpy(), dtype=h5py.string_dtype())
            else:
                group.create_dataset(key, data=column.to_numpy(), compression="gzip")
    file.write(content.getbuffer())


def _write_parquet(file: BinaryIO, frames: Iterator[pd.DataFrame]) -> None:
    try:
        pa, pq = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        how = "pip install '.[parquet]' in the clone, or use --format csv"
        raise MissingPackage("Parquet needs pyarrow, which is not installed", next_step=how) from error
    writer = None
    try:
        for frame in frames:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            writer = writer or pq.ParquetWriter(file, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
