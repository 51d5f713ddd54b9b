"""Files of other kinds that people give in place of a scan file: what each is, and what to write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scanspec.bsmart.spellings import SECTIONS

_PYTHON = re.compile(r"^(?:from [\w.]+ import |import [\w., ]+$|def \w+\(|class \w+[(:])", re.MULTILINE)
_SLHA = re.compile(r"^[ \t]*(?:BLOCK|DECAY)[ \t]+\w", re.MULTILINE | re.IGNORECASE)
_INI = re.compile(r"^[ \t]*\[[\w .:-]+\][ \t]*$", re.MULTILINE)
_SETTING = re.compile(r"^[ \t]*[\w.-][\w .-]*=", re.MULTILINE)
_YAML = re.compile(r"^[ \t]*[\w.-][\w .-]*:[ \t]*$", re.MULTILINE)
_A_SCAN_FILE = "a scan file is a mapping of sections: setup, variables, codes (README.md shows one)"


def what_it_is(path: Path, text: str, content: Any = None) -> str:
    """What kind of file this is, in one line; empty for a scan file, and for what only its errors can explain.

    `content`: what it was read as, None where it cannot be read.
    """
    if "Included_Codes" in (content if isinstance(content, Mapping) else text):
        return (
            "is a settings file of xBIT (Included_Codes), not a scan file; write its Variables as variables, each code "
            "as codes: NAME: {command: ..., input_file: TEMPLATE}, and its observables with mean and sigma below it; "
            f"{_A_SCAN_FILE}"
        )
    if isinstance(content, Mapping) and {"cells", "nbformat"} <= set(content):
        return f"is a Jupyter notebook, not a scan file; {_A_SCAN_FILE}"
    if isinstance(content, Mapping) and (any(map(SECTIONS.plain, content)) or not _SLHA.search(text)):
        return ""
    if not text.strip():
        return f"is empty; {_A_SCAN_FILE}"
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
    if _INI.search(text) and _SETTING.search(text) and not _YAML.search(text):
        hint = " of xBIT or of another program" if path.suffix.lower() in (".ini", ".cfg") else ""
        return f"is an INI file{hint} ([section], key = value), not a scan file; {_A_SCAN_FILE}, each `name: value`"
    if path.suffix.lower() in (".csv", ".tsv", ".dat"):
        return f"is a table, not a scan file; name it in one: setup: {{init_csv: {path.name}}}; {_A_SCAN_FILE}"
    if isinstance(content, str):
        return f"is a text, not a scan file; {_A_SCAN_FILE}, each `name: value`"
    return ""
