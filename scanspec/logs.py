"""Logging of both sides: rich's handler on a terminal, plain lines elsewhere.

Every module has a logger of its own name. The key `verbose` of the section networks sets the level.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING

from scanspec.events import JSON, TEXT, JsonFormatter, events
from scanspec.scanfile import ScanFile
from scanspec.text import visible

if TYPE_CHECKING:
    from rich.console import Console

FONTS = "matplotlib.font_manager"
"""The logger that warns of every math font that is missing from an incomplete list of fonts."""

LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)
"""The levels for `verbose` 0, 1, and 2 or more."""


@cache
def stderr_console() -> Console:
    """The only console on standard error; a second one would write into the live display of the first."""
    from rich.console import Console  # imported here, because the fork server of an evaluator does not need it

    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False, markup=False)


class _Formatter(logging.Formatter):
    """Removes characters that control a terminal, because texts may come from programs and files."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _PlainHandler(logging.Handler):
    """Prints one line per record to the standard error of that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):  # the reader of standard error is gone
            print(self.format(record), file=sys.stderr, flush=True)


def _handler(form: str) -> logging.Handler:
    if form == JSON:
        return _with(_PlainHandler(), JsonFormatter("%(message)s"))
    if not stderr_console().is_terminal:
        return _with(_PlainHandler(), _Formatter("%(name)s: %(message)s"))
    from rich.highlighter import NullHighlighter
    from rich.logging import RichHandler

    handler = RichHandler(console=stderr_console(), show_path=False, highlighter=NullHighlighter(), markup=False)
    return _with(handler, _Formatter("%(name)s: %(message)s"))


def _with(handler: logging.Handler, formatter: logging.Formatter) -> logging.Handler:
    handler.setFormatter(formatter)
    return handler


@contextmanager
def logging_to_stderr(form: str = TEXT) -> Iterator[None]:
    """Writes log records and Python's warnings to standard error in the block. `form`: TEXT or JSON."""
    root, handler = logging.getLogger(), _handler(form)
    level, fonts = root.level, logging.getLogger(FONTS)
    of_fonts = fonts.level
    root.addHandler(handler)
    root.setLevel(LEVELS[0])
    fonts.setLevel(logging.ERROR)
    logging.captureWarnings(True)
    try:
        with events(form):
            yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(level)
        fonts.setLevel(of_fonts)


def set_level(scan: ScanFile) -> None:
    """Sets the level of logging that `verbose` asks for."""
    logging.getLogger().setLevel(LEVELS[min(read_verbose(scan), len(LEVELS) - 1)])


def read_verbose(scan: ScanFile) -> int:
    """Reads `verbose`, a number or a boolean. Raises ScanFileError."""
    verbose = scan.networks.raw("verbose")
    return int(verbose) if isinstance(verbose, bool) else scan.networks.integer("verbose", 0)
