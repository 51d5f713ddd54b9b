"""Converts other outputs to SLHA, as BSMArt does."""

from __future__ import annotations

import re
from pathlib import Path

from evaluator import InvalidPoint
from evaluator.errors import CodeFailed
from evaluator.files import write_new
from scanspec.blocks import to_float
from scanspec.files import read_bytes
from scanspec.spectrum import LARGEST_SPECTRUM

UNPHYSICAL = -1.0
"""HiggsBounds' HBresult for a point that it cannot judge. 1 means allowed, 0 excluded."""

SAYS_UNPHYSICAL = "HiggsBounds: HBresult is -1, the point is unphysical"

_HEAD = re.compile(r"^[ \t]*(?:block|decay|decay1l|xsection)[ \t]", re.IGNORECASE | re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*[-+]?\d", re.MULTILINE)


def split_headless(text: str) -> tuple[str, str]:
    """Splits an SLHA file before its first block or table."""
    head = _HEAD.search(text)
    start = head.start() if head else len(text)
    return text[:start], text[start:]


def has_entries(text: str) -> bool:
    """Whether any line begins with a number, like the entries of blocks."""
    return _NUMBERED.search(text) is not None


def with_heading(text: str, block: str) -> str:
    """Puts a heading before entries that stand before the first block, as in micrOMEGAs' omg.out."""
    before, rest = split_headless(text)
    return f"Block {block}\n{before.rstrip()}\n{rest}" if has_entries(before) else text


def results_table(text: str, block: str, summary: str) -> str:
    """The last line of HiggsBounds' or HiggsSignals' results as a block.

    Entry n is the n-th number after the number of the line. The column that the line #cols calls `summary` becomes
    entry 101, too. Raises CodeFailed if there is no line of numbers, and InvalidPoint if HBresult is -1, because then
    the other numbers have no meaning.
    """
    labels: list[str] = []
    values: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if words and words[0] == "#cols:":
            labels = words[2:]
        elif words and not line.lstrip().startswith("#"):
            values = words[1:]
    if values and len(values) < len(labels):
        raise CodeFailed(f"the last line of its results has {len(values)} numbers for {len(labels)} columns")
    lines = []
    for number, word in enumerate(values, start=1):
        try:
            value = to_float(word)
        except ValueError:
            raise CodeFailed(f"the results hold {word!r} where a number belongs") from None
        label = labels[number - 1] if number <= len(labels) else ""
        if label == "HBresult" and value == UNPHYSICAL:
            raise InvalidPoint(SAYS_UNPHYSICAL)
        lines.append(f"{number:4d}  {value!r}  # {label}".rstrip(" #"))
        if label == summary:
            lines.append(f" 101  {value!r}  # {label}")
    if not lines:
        raise CodeFailed("its results hold no line of numbers")
    return "\n".join([f"Block {block}", *lines, ""])


def rewrite(path: Path, heading: str, table: tuple[str, str] | None) -> bool:
    """Rewrites a program's output as SLHA, in place, and returns whether that was necessary. Raises CodeFailed if it
    cannot.
    """
    if not (heading or table) or not path.is_file():
        return False
    text = read_bytes(path, LARGEST_SPECTRUM).decode("utf-8", errors="replace")
    write_new(path, (results_table(text, *table) if table else with_heading(text, heading)).encode())
    return True
