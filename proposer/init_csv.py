"""`InitCSV`: points to start from, with or without their NLL."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from proposer.space import Space
from proposer.strategies.base import Batch, Floats
from proposer.tables import from_text
from scanspec import ScanFile, ScanFileError
from scanspec.csvfile import open_csv
from scanspec.document import to_number

InitPoints = tuple[Batch, Floats, Floats]


def init_path(scan: ScanFile) -> Path | None:
    """The CSV file that a scan starts from, relative to the scan file; None without one."""
    name = scan.setup.text("init_csv", "")
    return scan.folder / name if name else None


def read_init_csv(scan: ScanFile, space: Space) -> InitPoints | None:
    """The points as a batch, their values, shape (n, d), and NLLs, shape (n,), NaN where there is none.

    Columns may stand in any order, beside others. Raises ScanFileError, with the line of the
    CSV file, for a missing column, a value that is no number, or a point outside a range.
    """
    path = init_path(scan)
    if path is None:
        return None
    try:
        header, table = _read_csv(path)
    except (OSError, ValueError, pd.errors.ParserWarning) as error:
        reason = getattr(error, "strerror", None) or error
        raise scan.setup.error(f"init_csv: {path} cannot be read as CSV ({reason})", "init_csv") from None
    names = [each.name for each in scan.variables]
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise scan.setup.error(
            f"init_csv: {path} has no column {', '.join(map(repr, missing))}; it has {', '.join(map(repr, header))}",
            "init_csv",
        )
    if twice := [name for name in [*names, "NLL"] if header.count(name) > 1]:
        raise scan.setup.error(f"init_csv: {path} has the column {twice[0]!r} twice", "init_csv")
    x = np.column_stack([_numbers(path, table, name, required=True) for name in names])
    for column, variable in enumerate(scan.variables):
        outside = (x[:, column] < variable.low) | (x[:, column] > variable.high)
        if outside.any():
            row = int(np.argmax(outside))
            raise ScanFileError(
                f"{path}, line {table.index[row] + 2}: {variable.name} = {x[row, column]:g} is outside its range "
                f"[{variable.low:g}, {variable.high:g}] of {scan.path}; widen the range or remove the row"
            )
        if not (inside := space.inside(x)[:, column]).all():
            row = int(np.argmin(inside))
            gap = f"nearer to 0 than {variable.inner:g}, its least magnitude,"
            why = "none of its values" if variable.shares else gap
            raise ScanFileError(
                f"{path}, line {table.index[row] + 2}: {variable.name} = {x[row, column]:g} is {why} in "
                f"{scan.path}; remove the row"
            )
    nll = _numbers(path, table, "NLL", required=False) if "NLL" in table.columns else np.full(len(table), np.nan)
    return Batch(space.to_unit(x), ["init"] * len(table), 0), x, nll


def _read_csv(path: Path) -> tuple[list[str], pd.DataFrame]:
    """The names in the first line, and the rows that are not empty; their index still counts lines."""
    with open_csv(path) as (names, _):
        header = [from_text(name) for name in names]
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would lose values
        table = pd.read_csv(path, skipinitialspace=True, skip_blank_lines=False, index_col=False, dtype=str)
    table.columns = pd.Index(header)
    return header, table.dropna(how="all")


def _numbers(path: Path, table: pd.DataFrame, name: str, *, required: bool) -> Floats:
    values = np.array([_number(each) for each in table[name]], dtype=float)
    empty = np.array([not isinstance(each, str) or not each.strip() for each in table[name]], dtype=bool)
    wrong = ~np.isfinite(values) & (required | ~empty)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ScanFileError(
            f"{path}, line {table.index[row] + 2}: {name} is {table[name].iloc[row]!r}, not a finite number"
        )
    return values


def _number(text: object) -> float:
    """The nearest double, so that a table that a run wrote comes back exactly; NaN for what is no number."""
    number = to_number(text)
    return math.nan if number is None else number
