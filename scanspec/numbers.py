"""Reads numbers. Scan files, tables and command lines all use this."""

from __future__ import annotations

import math
import re
from typing import Any

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?", re.ASCII)
_INFINITE = re.compile(r"([+-]?)\.?inf(?:inity|ty)?", re.IGNORECASE | re.ASCII)


def to_number(value: Any) -> float | None:
    """The number in a value or in a text such as "1e3", "1D+03" or "inf"; None for other texts and NaN.

    A number that is too large for a double is None, too.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str):
        return _parse(value.strip())
    try:
        number = float(value)
    except OverflowError:
        return None
    return None if math.isnan(number) else number


def _parse(text: str) -> float | None:
    if infinite := _INFINITE.fullmatch(text):
        return -math.inf if infinite[1] == "-" else math.inf
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text.translate(_EXPONENT))
    return number if math.isfinite(number) else None


def for_json(value: float) -> float | str:
    """The value, or its text if it is not finite: JSON has no infinity, and scan files read both."""
    return value if math.isfinite(value) else str(value)


def not_finite(name: str, text: str) -> str:
    """Says that the value of a column is not a finite number, and how to write one."""
    how = ""
    if re.fullmatch(r"[+-]?[\d.,' ]+", text) and re.search(r"[,' ]", text):
        how = "; numbers have a decimal point, and nothing between thousands"
    return f"{name} is {text!r:.100}, not a finite number{how}"


_EXPONENT = str.maketrans("dD", "ee")


def all_digits(number: float) -> str:
    """A number with all digits that it has, but without `.0`: two different numbers are never written alike."""
    return repr(float(number)).removesuffix(".0")
