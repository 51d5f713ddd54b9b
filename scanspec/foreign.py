"""Recognises files of other kinds that people pass instead of a scan file, and says what to write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanspec.bsmart.spellings import SECTIONS

_IMPORTED = r"[\w.]+(?: as \w+)?"
_PYTHON = re.compile(
    rf"^(?:from [\w.]+ import |import {_IMPORTED}(?:, ?{_IMPORTED})*[ \t]*$|def \w+\(|class \w+[(:])", re.MULTILINE
)
_SLHA = re.compile(r"^[ \t]*(?:BLOCK|DECAY)[ \t]+\w", re.MULTILINE | re.IGNORECASE)
_INI = re.compile(r"^[ \t]*\[[\w .:-]+\][ \t]*$", re.MULTILINE)
_MARKUP = re.compile(r"\s*<(\?xml|!DOCTYPE|html|svg)\b", re.IGNORECASE)
_SETTING = re.compile(r"^[ \t]*[\w.-][\w .-]*=", re.MULTILINE)
_YAML = re.compile(r"^[ \t]*[\w.-][\w .-]*:[ \t]*$", re.MULTILINE)
_A_SCAN_FILE = "a scan file is a mapping of sections: setup, variables, codes (README.md shows one)"


def what_it_is(path: Path, text: str, content: Any = None) -> str:
    """Says in one line what kind of file it is; empty for a scan file, and for a file that only the parser's error can
    explain.

    `content`: the parsed file; None where it cannot be parsed.
    """
    if "Included_Codes" in (content if isinstance(content, Mapping) else text):
        return (
            "is a settings file of xBIT (Included_Codes), not a scan file; write its Variables as variables, each code "
            "as codes: NAME: {command: ..., input_file: TEMPLATE}, and its observables with mean and sigma below it; "
            f"{_A_SCAN_FILE}"
        )
    if isinstance(content, Mapping) and {"cells", "nbformat"} <= set(content):
        return f"is a Jupyter notebook, not a scan file; {_A_SCAN_FILE}"
    if isinstance(content, Mapping) and "params" in content and {"likelihood", "theory", "sampler"} & set(content):
        return (
            "is a file of Cobaya, not a scan file; write its params as variables, its theory as codes, and its "
            f"likelihood as observables with mean and sigma; {_A_SCAN_FILE}"
        )
    if isinstance(content, Mapping) and {"Parameters", "Scanner"} <= set(content):
        return (
            "is a file of GAMBIT, not a scan file; write its Parameters as variables, its modules as codes, and what "
            f"ObsLikes asks for as observables with mean and sigma; {_A_SCAN_FILE}"
        )
    if isinstance(content, Mapping) and (any(map(SECTIONS.plain, content)) or not _SLHA.search(text)):
        return ""
    if not re.sub(r"^[ \t]*#.*", "", text, flags=re.MULTILINE).strip():
        return f"{'holds nothing but comments' if text.strip() else 'is empty'}; {_A_SCAN_FILE}"
    if path.suffix == ".py" or (_PYTHON.search(text) and not isinstance(content, Mapping)):
        return (
            "is a Python file, not a scan file; name a function of it in a scan file: codes: NAME: "
            f"{{function: {path.stem}:FUNCTION}}; {_A_SCAN_FILE}"
        )
    if _SLHA.search(text):
        return (
            "is an SLHA file, a template or a spectrum, not a scan file; name a template in a scan file: codes: NAME: "
            f"{{command: PROGRAM, input_file: {path.name}}}; {_A_SCAN_FILE}"
        )
    header = _INI.search(text)
    if header and not _YAML.search(text) and (_SETTING.search(text) or (content is None and header[0][0] == "[")):
        kind = "a TOML" if path.suffix.lower() == ".toml" else "an INI"
        hint = " of xBIT or of another program" if path.suffix.lower() in (".ini", ".cfg") else ""
        return f"is {kind} file{hint} ([section], key = value), not a scan file; {_A_SCAN_FILE}, each `name: value`"
    if _MARKUP.match(text):
        return f"is HTML or XML, not a scan file; {_A_SCAN_FILE}"
    if isinstance(content, list):
        kind, without = (
            ("stand in [ ]", "in { }") if text.lstrip().startswith("[") else ("begin with a dash", "without the dashes")
        )
        return f"is a list, whose entries {kind}; {_A_SCAN_FILE}: write them {without}"
    if path.suffix.lower() in (".csv", ".tsv", ".dat"):
        return f"is a table, not a scan file; name it in one: setup: {{init_csv: {path.name}}}; {_A_SCAN_FILE}"
    if isinstance(content, str):
        return f"is a text, not a scan file; {_A_SCAN_FILE}, each `name: value`"
    return ""


_MAGIC = {
    b"SQLite format 3\0": "a SQLite database; of a run of lodescan, its scan file lies beside it",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"PK\x03\x04": "a ZIP archive, or a file of a word processor or of a spreadsheet",
    b"%PDF": "a PDF document",
    b"PAR1": "a table in the format Parquet",
    b"\x89PNG": "a picture",
    b"\x89HDF": "a file in the format HDF5",
    b"\x93NUMPY": "an array that numpy has saved",
    b"\x7fELF": "a program",
    b"\xff\xfe\0\0": "text in UTF-32; save it as UTF-8",
    b"\xff\xfe": "text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as UTF-8",
}


def what_bytes_are(start: bytes) -> str:
    """Says in one line what kind of file begins with these bytes; empty for anything that may be text."""
    kind = kind_of_bytes(start)
    return f"is {kind}; {_A_SCAN_FILE}" if kind else ""


def kind_of_bytes(start: bytes) -> str:
    """The kind of file that begins with these bytes; empty for anything that may be text."""
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")
