"""Numbers and tables, for which all files have one reader."""

import math
import os

import pytest

from scanspec import ScanFileError, read_scan_file
from scanspec.csvfile import NotCsv, open_csv
from scanspec.document import to_number

BASE = """\
setup: {type: READ_CSV, init_csv: rows.csv}
variables: {a: {}, b: {}}
codes: {c: {function: 'f:f', observables: {y: {mean: 1, sigma: 1}}}}
"""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        (" -1.5e3 ", -1500.0),
        ("1D+00", 1.0),
        ("3.5d0", 3.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("+2", 2.0),
        ("007", 7.0),
        ("inf", math.inf),
        ("-Infinity", -math.inf),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("1_0", None),
        ("0x1F", None),
        ("1e400", None),
        ("1" * 5000, None),
        (10**400, None),
        ("nan", None),
        (".nan", None),
        (True, None),
        ("", None),
        ("1 2", None),
        ("1,5", None),
        ("\u0663", None),
        ("\u22121", None),
        ("1e", None),
        ("--1", None),
        (None, None),
        (math.nan, None),
        (math.inf, math.inf),
        (3, 3.0),
        ([1], None),
        ("1.2.3", None),
        ("e5", None),
    ],
)
def test_what_is_read_as_a_number(text, number):
    assert to_number(text) == number


@pytest.fixture
def read(tmp_path):
    def read(rows):
        (tmp_path / "rows.csv").write_bytes(rows if isinstance(rows, bytes) else rows.encode())
        (tmp_path / "scan.yaml").write_text(BASE)
        return read_scan_file(tmp_path / "scan.yaml")

    return read


@pytest.mark.parametrize(
    "rows", ["a,b\n1D+00,2\n3.5d0,4\n", "\ufeff# a , b\r\n1,2\r\n\r\n3.5,4\r\n", 'b,"a",c\n2,1,x\n4,3.5,\n,,\n']
)
def test_tables_may_have_a_byte_order_mark_quotes_and_empty_rows(read, rows):
    assert [(variable.low, variable.high) for variable in read(rows).variables] == [(1.0, 3.5), (2.0, 4.0)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a;b\n1,5;2,5\n", ["separated by semicolons", "commas", "a,b"]),
        ("a\tb\n1\t2\n", ["separated by tabs", "commas"]),
        ("# a b\n1 2\n", ["separated by blanks", "commas"]),
        ("a,b\n1_0,2\n3,4\n", ["line 2: a is '1_0', not a finite number"]),
        ("a,b\n1,2\n3,\n", ["line 3: b is '', not a finite number"]),
        ("a,b\n1,2\n\n3,inf\n", ["line 4: b is 'inf'"]),
        ("a,b\n1,2,3\n", ["line 2 has 3 fields, but the first line has 2 names"]),
        ("a,b,a\n1,2,3\n", ["the column 'a' is there twice"]),
        ("a,c\n1,2\n", ["has no column 'b'; it has 'a', 'c'"]),
        ("a" * 200_000 + ",b\n1,2\n", ["cannot be read as CSV", "line 1"]),
        ("a,b\n" + "1" * 200_000 + ",2\n", ["cannot be read as CSV", "line 2"]),
        (b"a,b\n1,2\n\xff,2\n", ["rows.csv, line 3: a is '\ufffd', not a finite number"]),
        ("", ["has no column 'a'"]),
        ("  a    b\n  1    2\n", ["separated by blanks", "a,b"]),
        ("# made by me\na,b\n1,2\n", ["its first line is a comment; remove it"]),
        ("a,b\n1,2\n# the end\n", ["line 3 is a comment"]),
        ("sep=,\na,b\n1,2\n", ["'sep=,', which only Excel reads"]),
        ("sep=;\na;b\n1;2\n", ["'sep=;', which only Excel reads"]),
        ("A,B\n1,2\n", ["has no column 'a'; it has 'A', 'B'; did you mean 'A'?"]),
        ('a,b\n1,"1,000"\n', ["line 2: b is '1,000', not a finite number; numbers have a decimal point"]),
        (b"\x1f\x8b\x08\x00", ["it is compressed by gzip"]),
        (b"PK\x03\x04\x14\x00rest\n", ["a ZIP archive, or a file of a word processor or of a spreadsheet"]),
        (b"\x89HDF\r\n\x1a\n", ["HDF5"]),
        ("a,b\n1,2\n".encode("utf-16"), ["it is text in UTF-16"]),
    ],
)
def test_a_file_that_is_not_a_table_is_refused(read, rows, words):
    with pytest.raises(ScanFileError, match=r"scan\.yaml, line 1: ") as error:
        read(rows)
    assert all(word in str(error.value) for word in words)


def test_a_table_that_never_ends_is_refused(read, tmp_path):
    os.mkfifo(tmp_path / "rows.csv")
    (tmp_path / "scan.yaml").write_text(BASE)
    with pytest.raises(ScanFileError, match="named pipe, not a file"):
        read_scan_file(tmp_path / "scan.yaml")


def test_names_of_columns_are_normalised_and_a_bar_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("\u00b5,x\n1,2\n")
    with open_csv(path) as (names, rows):
        assert names == ["\u03bc", "x"] and list(rows) == [(2, ["1", "2"])]
    path.write_text("a|b\n")
    with pytest.raises(NotCsv), open_csv(path):
        pass


def test_text_may_have_any_encoding_where_no_number_belongs(tmp_path):
    path = tmp_path / "points.csv"
    path.write_bytes("x,Größe\n1,µ\n2,é\n".encode("latin-1"))
    with open_csv(path) as (names, rows):
        assert names[0] == "x" and [row[0] for _, row in rows] == ["1", "2"]


@pytest.mark.parametrize("content", ["x,y\n1,2\n".encode("utf-16"), b"PK\x03\x04\x14\x00rest\n", b"\x1f\x8b\x08\x00"])
def test_a_file_that_is_not_text_is_refused(tmp_path, content):
    path = tmp_path / "points.csv"
    path.write_bytes(content)
    with pytest.raises(NotCsv, match="save the table as CSV in UTF-8"), open_csv(path):
        pass
