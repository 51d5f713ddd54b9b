"""Variables of a scan that evaluates the rows of a table; their ranges are those of the table's columns."""

from __future__ import annotations

import math
from pathlib import Path

from scanspec import keys
from scanspec.csvfile import open_csv
from scanspec.document import Section, nearest, to_number
from scanspec.numbers import not_finite
from scanspec.parquet import is_parquet, open_parquet
from scanspec.variables import Variable


def column_variables(setup: Section, variables: Section, ignored: list[str]) -> tuple[Variable, ...]:
    """One variable for each name in the section `variables`; its range goes from the lowest to the highest number of
    its column.

    Only unit, label and description of an entry are read: ranges and priors mean nothing for given points. Raises
    ScanFileError if the file, a column, or a number in a column is missing.
    """
    if "init_csv" not in setup:
        raise setup.error("type READ_CSV needs a table: write init_csv: FILE (Input_CSV_File in BSMArt)", "type")
    path, key = Path(setup.file).parent / setup.text("init_csv"), setup.spelling("init_csv")
    columns, wrong = read_columns(setup, "init_csv")
    found = []
    for name in variables:
        if name not in columns:
            there = f"it has {', '.join(map(repr, list(columns)[:40]))}{nearest(name, columns)}"
            raise setup.error(f"{key}: {path} has no column {name!r}; {there}", "init_csv")
        if not (values := [number for number in columns[name] if not math.isnan(number)]):
            why = f" ({wrong[name]})" if name in wrong else ""
            raise setup.error(f"{key}: the column {name!r} of {path} holds no number{why}", "init_csv")
        if name in wrong:
            raise setup.error(f"{key}: {path}, {wrong[name]}", "init_csv")
        unit = label = description = ""
        if isinstance(variables.raw(name), dict):
            entry = variables.section(name, keys.VARIABLE)
            unit, label, description = (entry.text(key, "") for key in ("unit", "label", "description"))
            ignored += [f"{name}: {key}" for key in ("range", "prior") if key in entry]
        found.append(Variable(name, min(values), max(values), unit=unit, label=label, description=description))
    return tuple(found)


def read_columns(setup: Section, key: str) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Reads the table that a key names. Returns the numbers of each column, and what is wrong with faulty columns.

    A cell that is not a finite number is NaN. A column with such a cell, or with a name that occurs twice, is faulty.
    Raises ScanFileError for a file that is not a table.
    """
    path = Path(setup.file).parent / setup.text(key)
    wrong: dict[str, str] = {}
    try:
        with (open_parquet if is_parquet(path) else open_csv)(path) as (names, rows):
            columns: dict[str, list[float]] = {name: [] for name in names}
            wrong |= {name: f"line 1: the column {name!r} is there twice" for name in names if names.count(name) > 1}
            for line, row in rows:
                for name, text in zip(names, row, strict=True):
                    number = to_number(text)
                    finite = number is not None and math.isfinite(number)
                    columns[name].append(number if number is not None and finite else math.nan)
                    if not finite:
                        wrong.setdefault(name, f"line {line}: {not_finite(name, text)}")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise setup.error(f"{setup.spelling(key)}: {path} cannot be read as CSV ({reason})", key) from None
    return columns, wrong
