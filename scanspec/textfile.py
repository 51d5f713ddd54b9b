"""Numbers in a text file beside a scan file: a matrix, a table, a curve."""

from __future__ import annotations

import math
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from scanspec.blocks import OF_MICROSOFT
from scanspec.document import ScanFileError, Section
from scanspec.files import read_text
from scanspec.numbers import to_number

COPIES = "likelihoods"
"""The folder for copies of such files, beside the copy of the scan file in a run."""

LARGEST = 4 << 20
"""The most bytes of such a file."""

MOST_NUMBERS = 200_000
"""The most numbers in such a file, because an evaluator sends all of them with its description."""

# as in an SLHA file, but other characters stand between the numbers
_NO_NUMBER = re.compile(
    OF_MICROSOFT.pattern.replace(r"(?<!\S)", r"(?<![^\s,;\"'])").replace(r"(?!\S)", r"(?![^\s,;\"'])"), re.IGNORECASE
)


class Rows(NamedTuple):
    """The rows of numbers in a file, and the line of each row."""

    section: Section
    key: str
    path: Path
    rows: list[list[float]]
    lines: list[int]

    def error(self, message: str, row: int | None = None) -> ScanFileError:
        """An error that names the file, the line of a row in it, and the line of the scan file that names the file."""
        line = f", line {self.lines[row]}" if row is not None else ""
        at = self.section.line(self.key)
        return ScanFileError(f"{self.path}{line}: {message} ({self.section.file}, line {at}, names the file)", at)


def find(section: Section, key: str) -> Path:
    """The path of the file that a key names. It lies in the folder of the scan file or below, so that a run can keep a
    copy.

    Raises ScanFileError for any other path.
    """
    listed = isinstance(section.raw(key), (list, dict))  # the numbers themselves
    name = "" if listed else section.path_text(key)
    if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise section.wrong(key, "the name of a file beside the scan file, or in a folder there")
    folder = Path(section.file).resolve().parent
    path = folder / name
    copy = folder / COPIES / name
    return copy if copy.is_file() and not path.is_file() else path


def read_rows(section: Section, key: str) -> Rows:
    """The rows of the file that a key names: numbers between blanks, tabs, commas or semicolons.

    Empty lines, text after a #, and a first line of words are skipped; words may be in any encoding. Raises
    ScanFileError, which names the file and the line.
    """
    path = find(section, key)
    try:
        text = read_text(path, LARGEST, errors="replace")
    except OSError as error:
        raise section.error(f"{section.path}: {key}: {path} cannot be read ({error.strerror})", key) from None
    if "\0" in text:
        what = "has zero bytes, as files in UTF-16 have; save it as plain text (ASCII or UTF-8)"
        raise section.error(f"{section.path}: {key}: {path} {what}", key)
    found = Rows(section, key, path, [], [])
    count, first = 0, True
    for line, words in enumerate(text.split("\n"), 1):
        fields = _fields(_NO_NUMBER.sub("nan", words).split("#")[0])
        if not any(fields):
            continue
        numbers = [to_number(field) for field in fields]
        heading, first = first and all(map(_is_word, fields)), False
        if heading:
            continue
        finite = [number is not None and math.isfinite(number) for number in numbers]
        wrong = next((field for field, is_finite in zip(fields, finite, strict=True) if not is_finite), None)
        found.lines.append(line)
        found.rows.append([0.0 if number is None else number for number in numbers])
        if wrong is not None:
            hint = _hint(wrong, words) or (_SECOND_HEADING if all(map(_is_word, fields)) else "")
            raise found.error(f"{wrong[:50]!r} is not a finite number{hint}", len(found.lines) - 1)
        count += len(numbers)
        if count > MOST_NUMBERS:
            raise found.error(f"there are more than {MOST_NUMBERS:,} numbers", len(found.lines) - 1)
    if not found.rows:
        raise found.error("there are no numbers in it")
    return found


def _fields(line: str) -> list[str]:
    """The words of a line. Only semicolons separate them if there are any, else only commas, else blanks. A separator
    may end the line.
    """
    separator = next((sign for sign in ";," if sign in line), None)
    if separator is None:
        words = line.split()
    else:
        words = line.strip().removesuffix(separator).split(separator)
        if any(len(word.split()) > 1 for word in words):  # 1, 2 3
            words = [part for word in words for part in word.split() or [""]]
    return [word.strip().strip("\"'").strip() for word in words]


_SECOND_HEADING = "; only the first line may have words: put a # before this one, or remove a second table"


def _hint(wrong: str, line: str) -> str:
    if not wrong:
        return "; a number is missing between two separators"
    return "; a number has a point, not a comma" if ";" in line and "," in line else ""


_MEANT_AS_NUMBER = re.compile(r"[+-]?(?:\.?\d[\d.,_edx+-]*|\*+|nan)|-+", re.IGNORECASE)


def _is_word(field: str) -> bool:
    """Whether a field of the first line is a word, and not a misspelt number such as 1_0, 0,5 or ****."""
    return to_number(field) is None and not _MEANT_AS_NUMBER.fullmatch(field)


def check_width(found: Rows, width: int, what: str) -> None:
    """Raises ScanFileError for the first row that does not have `width` columns."""
    for row, numbers in enumerate(found.rows):
        if len(numbers) != width:
            count = "is 1 number" if len(numbers) == 1 else f"are {len(numbers)} numbers"
            raise found.error(f"there {count} in the line, but {what}", row)
