"""Notices when the scan itself was suspended, by Ctrl-Z or a batch system.

A suspended process reads no answers. This time must make no point late, because the evaluator may have answered or have
been suspended, too.
"""

from __future__ import annotations

import threading
import time

TICK = 0.5
"""Seconds between two looks at the time."""

STILL = 3.0
"""A longer gap in seconds between two looks means that the process was suspended; a shorter one may be a busy machine.
"""


class Suspensions:
    """Adds up the time for which this process was suspended, until it is closed."""

    def __init__(self) -> None:
        self._looked, self._missed = time.monotonic(), 0.0
        self._lock, self._closed = threading.Lock(), threading.Event()
        threading.Thread(target=self._run, name="suspensions", daemon=True).start()

    def _run(self) -> None:
        while not self._closed.wait(TICK):
            self._look()

    def _look(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._looked > STILL:
                self._missed += now - self._looked
            self._looked = now

    def taken(self) -> float:
        """The seconds for which the process was suspended since the last call."""
        self._look()  # the thread may wake later than the caller
        with self._lock:
            missed, self._missed = self._missed, 0.0
        return missed

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
