"""Numbers in a text file beside a scan file: a matrix, a table, a curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from scanspec.document import ScanFileError, Section
from scanspec.files import read_text
from scanspec.numbers import to_number

COPIES = "likelihoods"
"""The folder beside the copy of a scan file, in a run, where copies of such files lie."""

LARGEST = 4 << 20
"""The most bytes of such a file."""

MOST_NUMBERS = 200_000
"""The most numbers in it: an evaluator sends them with its description."""


class Rows(NamedTuple):
    """The rows of numbers, each with its line in the file."""

    section: Section
    key: str
    path: Path
    rows: list[list[float]]
    lines: list[int]

    def error(self, message: str, row: int | None = None) -> ScanFileError:
        """An error that names the file, the line of a row in it, and where the scan file names it."""
        line = f", line {self.lines[row]}" if row is not None else ""
        at = self.section.line(self.key)
        return ScanFileError(f"{self.path}{line}: {message} ({self.section.file}, line {at}, names the file)", at)


def find(section: Section, key: str) -> Path:
    """The file that a key names, which lies in the folder of the scan file or below it, since a run keeps a copy.

    Raises ScanFileError for any other.
    """
    name = section.path_text(key)
    if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise section.wrong(key, "the name of a file beside the scan file, or in a folder there")
    folder = Path(section.file).resolve().parent
    path = folder / name
    copy = folder / COPIES / name
    return copy if copy.is_file() and not path.is_file() else path


def read_rows(section: Section, key: str) -> Rows:
    """The rows of the file that a key names: numbers between blanks, tabs, commas or semicolons.

    Empty lines do not count, nor does what follows a #, nor a first line of words. Raises ScanFileError, with file and
    line.
    """
    path = find(section, key)
    try:
        text = read_text(path, LARGEST)
    except OSError as error:
        raise section.error(f"{section.path}: {key}: {path} cannot be read ({error.strerror})", key) from None
    except UnicodeDecodeError:
        raise section.error(f"{section.path}: {key}: {path} is not a text in UTF-8", key) from None
    found = Rows(section, key, path, [], [])
    count, first = 0, True
    for line, words in enumerate(text.split("\n"), 1):
        fields = [field.strip("\"'") for field in words.split("#")[0].replace(",", " ").replace(";", " ").split()]
        if not fields:
            continue
        numbers = [to_number(field) for field in fields]
        heading, first = first and all(number is None for number in numbers) and not _is_nan(fields), False
        if heading:
            continue
        finite = [number is not None and math.isfinite(number) for number in numbers]
        wrong = next((field for field, is_finite in zip(fields, finite, strict=True) if not is_finite), None)
        found.lines.append(line)
        found.rows.append([0.0 if number is None else number for number in numbers])
        if wrong is not None:
            raise found.error(f"{wrong[:50]!r} is not a finite number", len(found.lines) - 1)
        count += len(numbers)
        if count > MOST_NUMBERS:
            raise found.error(f"there are more than {MOST_NUMBERS:,} numbers", len(found.lines) - 1)
    if not found.rows:
        raise found.error("there are no numbers in it")
    return found


def _is_nan(fields: Sequence[str]) -> bool:
    return any(field.lower() == "nan" for field in fields)


def check_width(found: Rows, width: int, what: str) -> None:
    """Raises ScanFileError for the first row that has another number of columns."""
    for row, numbers in enumerate(found.rows):
        if len(numbers) != width:
            raise found.error(f"there are {len(numbers)} numbers in the line, but {what}", row)
