"""Logging, the same on both sides: rich's handler on a terminal, plain lines elsewhere.

Modules log to a logger of their own name. What the section networks calls `verbose` sets the level.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from scanspec.scanfile import ScanFile
from scanspec.text import visible

if TYPE_CHECKING:
    from rich.console import Console

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
"""For `verbose` 0, 1, and 2 or more."""


@cache
def stderr_console() -> Console:
    """The one console on standard error: a second one would write into the live display of the first."""
    from rich.console import Console  # the fork server of an evaluator need not have it

    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False, markup=False)


class _Formatter(logging.Formatter):
    """Removes characters that control a terminal, because texts may come from programs and files."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _PlainHandler(logging.Handler):
    """A line a record, on standard error as it is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        print(self.format(record), file=sys.stderr, flush=True)


def _handler() -> logging.Handler:
    console = stderr_console()
    if not console.is_terminal:
        return _PlainHandler()
    from rich.highlighter import NullHighlighter
    from rich.logging import RichHandler

    return RichHandler(console=console, show_path=False, highlighter=NullHighlighter(), markup=False)


@contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Writes what is logged, and Python's warnings, to standard error; all is as before afterwards."""
    root, handler = logging.getLogger(), _handler()
    handler.setFormatter(_Formatter("%(name)s: %(message)s"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(LEVELS[0])
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(level)


def set_level(scan: ScanFile) -> None:
    """Logs as much as `verbose` asks for."""
    logging.getLogger().setLevel(LEVELS[min(read_verbose(scan), len(LEVELS) - 1)])


def read_verbose(scan: ScanFile) -> int:
    """`verbose`: a number, or true or false. Raises ScanFileError."""
    verbose = scan.networks.raw("verbose")
    return int(verbose) if isinstance(verbose, bool) else scan.networks.integer("verbose", 0)
