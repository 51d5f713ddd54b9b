"""Opens CSV files: tables of numbers whose columns are separated by commas."""

from __future__ import annotations

import csv
import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scanspec.document import plain_name
from scanspec.files import open_regular, read_start
from scanspec.foreign import kind_of_bytes

_LARGEST_FIELD = 10_000  # characters


class NotCsv(ValueError):
    """A file is not a table with commas. The message says what it is instead."""


@contextmanager
def open_csv(path: Path) -> Iterator[tuple[list[str], Iterator[tuple[int, list[str]]]]]:
    """The names in the first line, in plain spelling and without a leading #, and the rows below it.

    Each non-empty row comes as its line number and its texts. Bytes that are not UTF-8 are replaced, so that they
    matter only in numbers. Raises NotCsv and OSError.
    """
    if kind := kind_of_bytes(read_start(path, 20)):
        raise NotCsv(f"it is {kind.partition(';')[0]}; save the table as CSV in UTF-8")
    with open(path, newline="", encoding="utf-8-sig", errors="replace", opener=open_regular) as file:
        rows = _rows(file)
        first = next(rows, (1, []))[1]
        names = [plain_name(name.strip().lstrip("#").strip()) for name in first]
        if any(unicodedata.category(char) == "Cc" and char not in "\t\r\n" for name in names for char in name):
            raise NotCsv("its first line is not text in UTF-8; save the table as CSV in UTF-8")
        second = next(rows, None)
        if second is not None:
            rows = itertools.chain([second], rows)
            if first[:1] and first[0].startswith("#") and len(second[1]) > len(first):
                raise NotCsv("its first line is a comment; remove it, so that the first line names the columns")
        _check_delimiter(names)
        yield names, _checked(rows, len(names))


def _rows(file: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file, skipinitialspace=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise NotCsv(f"line {max(1, reader.line_num)}: {error}") from None
        if row is None:
            return
        if any(len(field) > _LARGEST_FIELD for field in row):
            raise NotCsv(f"line {reader.line_num} has a field of more than {_LARGEST_FIELD:,} characters")
        yield reader.line_num, row


def _checked(rows: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    for line, row in rows:
        if not any(field.strip() for field in row):
            continue
        if len(row) != width and row[0].lstrip().startswith("#"):
            raise NotCsv(f"line {line} is a comment, which a table cannot have here; remove it")
        if len(row) != width:
            fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
            names = "1 name" if width == 1 else f"{width} names"
            raise NotCsv(f"line {line} has {fields}, but the first line has {names}")
        yield line, row


def _check_delimiter(names: Sequence[str]) -> None:
    if names and names[0].lower().startswith("sep="):
        raise NotCsv(
            f"its first line is {','.join(names)!r:.20}, which only Excel reads; save the table with commas, without it"
        )
    if len(names) != 1:
        return
    for delimiter, separators in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (" ", "blanks")):
        parts = [name.strip() for name in names[0].split(delimiter if delimiter != " " else None)]
        if len(parts) > 1 and all(parts):
            raise NotCsv(
                f"its columns are separated by {separators}, but a CSV file here has commas between them and points in "
                f"its numbers; its first line should be {','.join(part for part in parts)[:200]}"
            )
