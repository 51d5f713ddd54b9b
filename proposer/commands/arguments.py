"""Types of command arguments, and safe output for terminals."""

from __future__ import annotations

import argparse
import io
import math
from typing import TextIO

from scanspec import visible
from scanspec.document import to_number


class Visible(io.TextIOBase):
    """A file for output that makes control characters visible. Texts of scan files and runs may come from anybody, and
    a terminal must not obey them.
    """

    def __init__(self, out: TextIO | io.TextIOBase) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(visible(text))

    def flush(self) -> None:
        self._out.flush()


class Once(argparse.Action):
    """An option that may be given only once, because a second value would replace the first."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        if hasattr(namespace, f"{self.dest}_given"):
            parser.error(f"{option} is given twice; name one")
        setattr(namespace, f"{self.dest}_given", True)
        setattr(namespace, self.dest, values)


def count(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def seconds(text: str) -> float:
    """A finite time of at least 0."""
    value = to_number(text)
    if value is None or not 0.0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, at least 0")
    return value


def levels(text: str) -> tuple[float, ...]:
    """Percentages as ascending probabilities from 0 to 1."""
    found = [to_number(word) for word in text.split(",")]
    probabilities = tuple(sorted(percent / 100.0 for percent in found if percent is not None and 0.0 < percent < 100.0))
    if len(probabilities) != len(found) or len(set(probabilities)) < len(probabilities):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of levels between 0 and 100 %, such as 68,95")
    return probabilities
