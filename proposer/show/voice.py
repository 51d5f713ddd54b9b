"""How a command writes its messages: for people, as JSON for programs, or only warnings."""

from __future__ import annotations

import enum
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from scanspec import visible
from scanspec.events import event, in_json
from scanspec.logs import stderr_console
from scanspec.text import broken


class Voice(enum.Enum):
    """How messages are written. PEOPLE: lines on standard error, and a display on a terminal. QUIET: only warnings.
    JSON: one object per line on standard output, with the key `event`.
    """

    PEOPLE = "people"
    QUIET = "quiet"
    JSON = "json"


_voices = [Voice.PEOPLE]


@contextmanager
def speaking(voice: Voice) -> Iterator[None]:
    """A context in which messages are written with this voice."""
    _voices.append(voice)
    try:
        yield
    finally:
        _voices.pop()


def voice() -> Voice:
    """The present voice."""
    return _voices[-1]


def say(line: str) -> None:
    """Writes a message for people, above the live display if there is one."""
    if voice() is Voice.QUIET:
        return
    tell("note", {"text": line})
    if voice() is Voice.PEOPLE and not in_json():
        _print(line, sys.stdout)


@contextmanager
def busy(words: str) -> Iterator[None]:
    """Shows on a terminal what is being done while the block runs. Pipes and programs see nothing."""
    console = stderr_console()
    if voice() is Voice.PEOPLE and console.is_terminal and not in_json():
        room = console.width - 2  # beside the spinner
        status = console.status(broken(visible(words), room))
        try:
            status.start()  # within the try: an interrupt may come while it starts
            yield
        finally:
            status.stop()
    else:
        yield


def warn(line: str) -> None:
    """Writes a message that is shown even with --quiet."""
    tell("warning", {"text": line}, logging.WARNING)
    if voice() is not Voice.JSON and not in_json():
        _print(line, sys.stderr)


def _print(line: str, cell: TextIO) -> None:
    """Prints a line to standard error, where a terminal breaks it at blanks. A notebook, whose console would give each
    line an output of its own and cut it on the right, gets it in the stream `cell`.
    """
    console, text = stderr_console(), visible(line)
    if console.is_jupyter:
        print(text, file=cell, flush=True)
        return
    console.print(broken(text, console.width) if console.is_terminal else text, soft_wrap=True)


def tell(name: str, values: Mapping[str, Any], level: int = logging.INFO) -> None:
    """Writes for programs: one JSON object on standard output for `--json`, and an event for `--log-format json`."""
    event(name, level, **values)
    if voice() is Voice.JSON:
        print(json.dumps({"event": name, **values}), flush=True)
