"""Reads tables in Parquet format as rows of texts, like those of CSV files. pyarrow, 150 MB, is imported on demand."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scanspec.document import plain_name
from scanspec.files import open_regular, read_start

MAGIC = b"PAR1"


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet files do; raises OSError."""
    return read_start(path, len(MAGIC)) == MAGIC


@contextmanager
def open_parquet(path: Path) -> Iterator[tuple[list[str], Iterator[tuple[int, list[str]]]]]:
    """The normalised names of the columns, and the rows as texts, each with its number from 1.

    Raises ValueError where pyarrow is missing or cannot read the file, and OSError.
    """
    try:
        pq = importlib.import_module("pyarrow.parquet")
    except ImportError:
        how = "pip install '.[parquet]' in the clone, into this environment, or give it as CSV"
        raise ValueError(f"it is a Parquet file, which pyarrow reads: {how}") from None
    with open(path, "rb", opener=open_regular) as file:
        table = pq.ParquetFile(file)  # its errors are ValueError and OSError
        yield [plain_name(str(name)) for name in table.schema_arrow.names], _rows(table)


def _rows(table: object) -> Iterator[tuple[int, list[str]]]:
    number = 0
    for batch in table.iter_batches():  # type: ignore[attr-defined]  # pyarrow has no types
        columns = [column.to_pylist() for column in batch.columns]
        for row in zip(*columns, strict=True):
            number += 1
            yield number, ["" if cell is None else str(cell) for cell in row]
