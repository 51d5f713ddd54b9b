"""Variables of a scan that is the rows of a CSV file: their ranges are those of its columns."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from scanspec import keys
from scanspec.document import Section, to_number
from scanspec.variables import Variable


def column_variables(setup: Section, variables: Section, ignored: list[str]) -> tuple[Variable, ...]:
    """One variable for each name of the section `variables`, from the least to the greatest number of its column.

    Of an entry only unit, label and description are read: ranges and priors mean nothing for given points. Raises
    ScanFileError without the file, a column, or a number in it.
    """
    if "init_csv" not in setup:
        raise setup.error("type READ_CSV needs a table: write init_csv: FILE (Input_CSV_File in BSMArt)", "type")
    path = Path(setup.file).parent / setup.text("init_csv")
    columns = _columns(setup, path)
    found = []
    for name in variables:
        if name not in columns:
            raise setup.error(
                f"init_csv: {path} has no column {name!r}; it has {', '.join(map(repr, columns))}", "init_csv"
            )
        if not (values := columns[name]):
            raise setup.error(f"init_csv: the column {name!r} of {path} holds no number", "init_csv")
        unit = label = description = ""
        if isinstance(variables.raw(name), dict):
            entry = variables.section(name, keys.VARIABLE)
            unit, label, description = (entry.text(key, "") for key in ("unit", "label", "description"))
            ignored += [*entry.ignored, *(f"{name}: {key}" for key in ("range", "prior") if key in entry)]
        found.append(Variable(name, min(values), max(values), unit=unit, label=label, description=description))
    return tuple(found)


def _columns(setup: Section, path: Path) -> dict[str, list[float]]:
    """The finite numbers of each column; what is none is refused where the rows are read."""
    if path.exists() and not path.is_file():  # the reading of a named pipe would not end
        raise setup.error(f"init_csv: {path} is a folder, a pipe or a device; name a file", "init_csv")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, skipinitialspace=True)
            columns: dict[str, list[float]] = {name.strip().lstrip("#").strip(): [] for name in next(rows, [])}
            for row in rows:
                for values, text in zip(columns.values(), row, strict=False):
                    number = to_number(text)
                    if number is not None and math.isfinite(number):
                        values.append(number)
    except (OSError, ValueError, csv.Error) as error:
        raise setup.error(f"init_csv: {path} cannot be read as CSV ({error})", "init_csv") from None
    return columns
