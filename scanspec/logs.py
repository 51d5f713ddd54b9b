"""Logging of both sides: rich's handler on a terminal, plain lines elsewhere.

Every module has a logger of its own name. The key `verbose` of the section networks sets the level.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, TextIO

from scanspec.events import JSON, TEXT, JsonFormatter, event, events, know_line, known_elsewhere
from scanspec.raw_output import STDERR, WholeLines, raw_lines
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

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            """Raises the BrokenPipeError that is being handled. By itself, rich would end this process with 1."""
            raise  # noqa: PLE0704  # called while the error is handled

    return Ours(stderr=True, soft_wrap=True, highlight=False, emoji=False, markup=False)


class _Formatter(logging.Formatter):
    """Removes characters that control a terminal, because texts may come from programs and files."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


class _PlainHandler(logging.Handler):
    """Writes one line per record to `lines`, or prints it to the standard error of that moment."""

    def __init__(self, lines: WholeLines | None = None) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):  # the reader of standard error is gone, or the stream is closed
            line = self.format(record)
            if self._lines:
                self._lines.write(line)
            else:
                print(line, file=sys.stderr, flush=True)


def _handler(form: str, lines: WholeLines | None) -> logging.Handler:
    if form == JSON:
        return _with(_PlainHandler(lines), JsonFormatter("%(message)s"))
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
    """Writes log records and Python's warnings to standard error in the block. `form`: TEXT or JSON. In JSON, what
    others write to standard error becomes events, too, so that each line is an object.
    """
    root = logging.getLogger()
    level, fonts = root.level, logging.getLogger(FONTS)
    of_fonts = fonts.level
    with ExitStack() as stack:
        stack.enter_context(events(form))
        stack.callback(logging.captureWarnings, False)
        stack.callback(root.setLevel, level)
        stack.callback(fonts.setLevel, of_fonts)
        lines = None
        if form == JSON and _is_of_the_process(sys.stderr):
            lines = stack.enter_context(closing(WholeLines()))
        handler = _handler(form, lines)
        root.addHandler(handler)
        stack.callback(root.removeHandler, handler)  # after the last lines of others
        root.setLevel(LEVELS[0])
        fonts.setLevel(logging.ERROR)
        if lines:
            send = stack.enter_context(raw_lines(lines, _tell, know_line))
            stack.enter_context(known_elsewhere(send))
        logging.captureWarnings(True)
        yield


def _tell(line: str) -> None:
    event("output", text=line)


def _is_of_the_process(stream: TextIO | None) -> bool:
    """Whether a stream is the standard error of the process, and not one of a test or a notebook."""
    try:
        return stream is not None and stream.fileno() == STDERR
    except (OSError, ValueError):
        return False


def set_level(scan: ScanFile) -> None:
    """Sets the level of logging that `verbose` asks for."""
    logging.getLogger().setLevel(LEVELS[min(read_verbose(scan), len(LEVELS) - 1)])


def read_verbose(scan: ScanFile) -> int:
    """Reads `verbose`, a number or a boolean. Raises ScanFileError."""
    verbose = scan.networks.raw("verbose")
    return int(verbose) if isinstance(verbose, bool) else scan.networks.integer("verbose", 0)
