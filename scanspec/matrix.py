"""Symmetric, positive definite matrices (covariances, correlations) in a scan file, or in a text file beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scanspec.document import ScanFileError, Section, to_number
from scanspec.textfile import Rows, read_rows

SYMMETRIC = 1e-9
"""The tolerance for the symmetry of a matrix, relative to the geometric mean of the two diagonal elements."""


@dataclass(frozen=True)
class Matrix:
    """The rows of a matrix, and where the scan file has it, for messages."""

    entry: Section
    key: str
    rows: list[list[float]]
    file: Rows | None

    def error(self, message: str, row: int | None = None) -> ScanFileError:
        """An error that names the line of a row."""
        if self.file is not None:
            return self.file.error(f"{self.key}: {message}", row)
        line = _line_of(self.entry, self.key, row)
        return ScanFileError(f"{self.entry.file}, line {line}: {self.entry.path}: {self.key}: {message}", line)


def _line_of(entry: Section, key: str, row: int | None) -> int:
    """The line of a row of an inline matrix; the line of the key if the row's line is not known."""
    lines = getattr(getattr(entry.raw(key), "lc", None), "data", None)
    if row is None or not lines or row not in lines:
        return entry.line(key)
    return int(lines[row][0]) + 1


def read_matrix(entry: Section, key: str, count: int) -> Matrix:
    """A matrix of `count` rows and columns, inline or in a file; symmetric, all numbers finite. Raises ScanFileError,
    with file and line.
    """
    value = entry.raw(key)
    if isinstance(value, list):
        matrix = Matrix(entry, key, [], None)
        for row, words in enumerate(value):
            fields = words if isinstance(words, list) else [words]
            matrix.rows.append([_finite(matrix, row, field) for field in fields])
    elif to_number(value) is not None:  # a single number is not the name of a file
        raise entry.wrong(key, "a matrix, such as [[1, 0.5], [0.5, 1]], or the name of a file with its rows")
    else:
        found = read_rows(entry, key)
        matrix = Matrix(entry, key, found.rows, found)
    _check_size(matrix, count)
    _check_symmetry(matrix)
    return matrix


def _check_size(matrix: Matrix, count: int) -> None:
    wanted = f"{count} observables; write the whole matrix, {count} rows of {count}" if count > 1 else "1 observable"
    if len(matrix.rows) != count:
        rows = "is 1 row" if len(matrix.rows) == 1 else f"are {len(matrix.rows)} rows"
        raise matrix.error(f"there {rows}, but {wanted}")
    for row, numbers in enumerate(matrix.rows):
        if len(numbers) != count:
            has = "1 number" if len(numbers) == 1 else f"{len(numbers)} numbers"
            are = "are" if count > 1 else "is"
            raise matrix.error(f"row {row + 1} has {has}, but there {are} {wanted}", row)


def _check_symmetry(matrix: Matrix) -> None:
    for row, numbers in enumerate(matrix.rows):
        for column in range(row):
            one, other = numbers[column], matrix.rows[column][row]
            scale = math.sqrt(abs(numbers[row] * matrix.rows[column][column]))
            if abs(one - other) > SYMMETRIC * max(scale, abs(one), abs(other)):
                raise matrix.error(
                    f"it is not symmetric: {one:.12g} in row {row + 1}, column {column + 1}, but {other:.12g} in row "
                    f"{column + 1}, column {row + 1}",
                    row,
                )


def check_ones(correlation: Matrix) -> None:
    """Raises ScanFileError unless the diagonal of a correlation is 1."""
    for row, numbers in enumerate(correlation.rows):
        if abs(numbers[row] - 1.0) > SYMMETRIC:
            raise correlation.error(f"number {row + 1} on the diagonal is {numbers[row]:g}, but must be 1", row)


def _finite(matrix: Matrix, row: int, value: Any) -> float:
    number = to_number(value)
    if number is None or math.isinf(number):
        raise matrix.error(f"{str(value)[:50]!r} in row {row + 1} is not a finite number", row)
    return number


def cholesky(matrix: Matrix) -> tuple[tuple[float, ...], ...]:
    """The lower Cholesky factor, shape (k, k); raises ScanFileError where there is none."""
    count = len(matrix.rows)
    root = [[0.0] * count for _ in range(count)]
    for row in range(count):
        for column in range(row + 1):
            rest = matrix.rows[row][column] - math.fsum(root[row][k] * root[column][k] for k in range(column))
            if row != column:
                root[row][column] = rest / root[column][column]
            elif rest > 1e-14 * abs(matrix.rows[row][row]):
                root[row][row] = math.sqrt(rest)
            else:
                raise matrix.error(f"it is not positive definite: row {row + 1} is the first one at fault", row)
    return tuple(map(tuple, root))
