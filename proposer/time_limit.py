"""The time limit of a scan inside of long computations: trainings check it at every step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float] = ContextVar("until", default=math.inf)


class OutOfTime(Exception):
    """The time of the scan is over, and unfinished work is given up."""


@contextmanager
def within(until: float) -> Iterator[None]:
    """In this block and this thread, `check_time` raises OutOfTime after `until`, a time of time.monotonic."""
    token = _until.set(until)
    try:
        yield
    finally:
        _until.reset(token)


def check_time() -> None:
    """Raises OutOfTime when the time is over."""
    if time.monotonic() > _until.get():
        raise OutOfTime
