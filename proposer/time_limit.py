"""The time limit of a scan, within what takes long: trainings look at it step by step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_until: ContextVar[float] = ContextVar("until", default=math.inf)


class OutOfTime(Exception):
    """The time of the scan is over; what was begun is given up."""


@contextmanager
def within(until: float) -> Iterator[None]:
    """In this block and this thread `check_time` raises OutOfTime after `until`, of time.monotonic."""
    token = _until.set(until)
    try:
        yield
    finally:
        _until.reset(token)


def check_time() -> None:
    """Raises OutOfTime when the time is over."""
    if time.monotonic() > _until.get():
        raise OutOfTime
