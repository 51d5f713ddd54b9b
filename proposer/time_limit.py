"""The time limit of a scan within long computations: trainings check it at every step."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_limit: ContextVar[tuple[float, threading.Event]] = ContextVar("limit", default=(math.inf, threading.Event()))


class OutOfTime(Exception):
    """The scan is over, and unfinished work is given up."""


@contextmanager
def within(until: float, over: threading.Event) -> Iterator[None]:
    """In this block and this thread, `check_time` raises OutOfTime after `until`, a time of time.monotonic, and once
    any thread sets `over`.
    """
    token = _limit.set((until, over))
    try:
        yield
    finally:
        _limit.reset(token)


def check_time() -> None:
    """Raises OutOfTime when the scan is over."""
    until, over = _limit.get()
    if over.is_set() or time.monotonic() > until:
        raise OutOfTime
