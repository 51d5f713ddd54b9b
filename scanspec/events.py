"""The option `--log-format json` of both sides: each event is a line with one JSON object on standard error.

In the format text, events are not written, and messages for people are plain lines.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from scanspec.text import visible

TEXT, JSON = "text", "json"

_log = logging.getLogger("lodescan.events")
_known: dict[str, Any] = {}
_on = [False]
_elsewhere: list[Callable[[str], object]] = []


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: `time` (RFC 3339, UTC), `level`, `event`, the keys given to `know`, and the
    event's own keys.

    Records that modules and packages log have the event `log`.
    """

    def format(self, record: logging.LogRecord) -> str:
        event = getattr(record, "event", "log")
        values = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": event,
            **_known,
        }
        if event == "log":
            values |= {"logger": record.name, "text": super().format(record)}
        return json.dumps(values | getattr(record, "values", {}), default=str)


@contextmanager
def events(form: str) -> Iterator[None]:
    """Writes events within the block if the format is JSON."""
    before = _on[0]
    _on[0] = form == JSON
    _log.setLevel(logging.INFO)
    try:
        yield
    finally:
        _on[0] = before
        _known.clear()


def in_json() -> bool:
    """Whether events are written."""
    return _on[0]


def know(**values: Any) -> None:
    """Adds keys to all later events, such as the run or this evaluator's address."""
    _known.update(values)
    for send in _elsewhere:
        send(json.dumps(values, default=str))


@contextmanager
def known_elsewhere(send: Callable[[str], object]) -> Iterator[None]:
    """Sends what `know` adds within the block to another process, which calls `know_line` with it."""
    _elsewhere.append(send)
    try:
        yield
    finally:
        _elsewhere.remove(send)


def know_line(line: str) -> None:
    """Adds the keys that another process has sent."""
    know(**json.loads(line))


def event(name: str, level: int = logging.INFO, **values: Any) -> None:
    """Writes an event if the format is JSON. Values that are NaN or infinite become null."""
    if _on[0]:
        _log.log(level, name, extra={"event": name, "values": {key: _plain(value) for key, value in values.items()}})


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def say(who: str, text: str, level: int = logging.INFO) -> None:
    """Prints a line for people on standard error, with `who` in front. In the format JSON it is the event `note`."""
    if _on[0]:
        event("note", level, text=text)
    else:
        print(f"{who}: {visible(text)}", file=sys.stderr, flush=True)
