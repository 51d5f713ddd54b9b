"""Why and when an evaluator ends."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from enum import Enum

_PARTS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")
_UNITS = (86400.0, 3600.0, 60.0, 1.0)

MARGIN = 2.0
"""A new point begins only if this many times the longest point so far fits into the rest of the lifetime."""

LARGEST_SHARE = 0.5
"""The largest fraction of a lifetime that is reserved for points to end in."""


LONGEST_ALONE = 600.0
"""Seconds without a client after which an evaluator that was started for one scan ends. The scan may have finished
before the evaluator started, and then nobody tells it.
"""


LOOK_EVERY = 5.0
"""Seconds between two looks for the mark of a finished scan in the folder of a pool."""


class Ending(Enum):
    """The reason why an evaluator ends."""

    SIGNAL = "a signal"
    LIFETIME = "the end of its lifetime"
    FINISHED = "the end of the scan"
    ALONE = "nobody asks it any more"
    LOST = "a fault"


def read_duration(text: str) -> float:
    """The seconds in `3h50m`, `90s`, `1d12h`, or a plain number of seconds. Raises ValueError."""
    found = _PARTS.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"{text!r} is not a time; write for example 3h50m, 90s or 1d12h")
    seconds = sum(float(part) * unit for part, unit in zip(found.groups(), _UNITS, strict=True) if part)
    if not seconds > 0.0:
        raise ValueError("a lifetime is longer than 0 s")
    return seconds


class Lifetime:
    """The time after which the evaluator must be gone, such as that of a batch job. `grace`: the least time in seconds
    that is reserved for running points.
    """

    def __init__(self, seconds: float, grace: float) -> None:
        self._seconds, self._grace = seconds, grace
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the end; 0.0 after it."""
        return max(0.0, self._end - time.monotonic())

    async def wait(self, longest: Callable[[], float]) -> None:
        """Returns when no more points should begin; `longest` gives the seconds of the longest point so far."""
        while (left := self.left() - self._kept(longest())) > 0.0:
            await asyncio.sleep(min(left, 1.0))

    def _kept(self, longest: float) -> float:
        return min(max(self._grace, MARGIN * longest), LARGEST_SHARE * self._seconds)
