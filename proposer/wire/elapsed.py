"""The clock for the time for which a point is out."""

from __future__ import annotations

import time


def elapsed() -> float:
    """Seconds since the machine started, also those for which it was suspended. Nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
