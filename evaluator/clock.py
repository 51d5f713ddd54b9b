"""Measures the time for which an evaluator has run. Deadlines use it, because it stops while the evaluator is
suspended.

A batch system or Ctrl-Z may suspend an evaluator with all its workers, and this must not make their points late. A
thread of the evaluator adds up the time in a file that the workers share.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import threading
import time
from pathlib import Path

TICK = 0.1
"""Seconds between two looks at the time."""

STILL = 1.0
"""A longer gap in seconds between two looks means that the evaluator was suspended; a shorter one may be a busy
machine.
"""

_SECONDS = struct.Struct("d")
_shared: mmap.mmap | None = None


def lived() -> float:
    """The seconds for which the evaluator of this process has run; time.monotonic if no Clock is followed."""
    return time.monotonic() if _shared is None else float(_SECONDS.unpack_from(_shared)[0])


def follow(path: str | Path | None) -> None:
    """Makes `lived` read the file of a Clock, or time.monotonic with None."""
    global _shared  # noqa: PLW0603  # one evaluator per process
    _shared = None
    if path is not None:
        with open(path, "r+b") as file:
            _shared = mmap.mmap(file.fileno(), _SECONDS.size)


def missing(seconds: float, since: float) -> float:
    """The rest of `seconds` that began at the time `since` of `lived()`; 0.0 if it is too short to measure."""
    left = seconds - (lived() - since)
    return left if left > min(5 * TICK, seconds / 2) else 0.0


class Countdown:
    """A countdown in seconds of `lived()`."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._since = seconds, lived()
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until the end; then this must be called again, because the evaluator may have been suspended. 0.0
        after the end.
        """
        left = self._end - time.monotonic()
        if left <= 0.0:
            left = missing(self._seconds, self._since)
            self._end = time.monotonic() + left
        return left


class Clock:
    """Keeps the time of this process in a file until it is closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        with contextlib.closing(os.fdopen(descriptor, "r+b")) as file:
            file.truncate(_SECONDS.size)
            self._memory = mmap.mmap(file.fileno(), _SECONDS.size)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()
        follow(path)

    def _run(self) -> None:
        before, seconds = time.monotonic(), 0.0
        while not self._closed.wait(TICK):
            now = time.monotonic()
            seconds += now - before if now - before < STILL else TICK
            before = now
            _SECONDS.pack_into(self._memory, 0, seconds)

    def close(self) -> None:
        """Ends the thread; from then on `lived` is time.monotonic."""
        follow(None)
        self._closed.set()
        self._thread.join()
