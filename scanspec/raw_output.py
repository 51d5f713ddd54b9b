"""For `--log-format json`: what others write to standard error becomes lines that can be logged.

Others are the interpreter, libraries in C, and a physics module while it is imported.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

STDERR = 2

LARGEST_PIPE = 2**20
"""Bytes that wait at most. Code in C that holds Python's lock can write this much in one call."""

LONGEST_LINE = 2**16
"""A longer line, in bytes, is cut into several."""

LAST_LINES = 1.0
"""The most seconds at the end for lines of processes that go on writing."""


@contextmanager
def raw_lines(tell: Callable[[str], object]) -> Iterator[TextIO]:
    """In the block, lines that this process and its children write to descriptor 2 are given to `tell`, in a thread of
    its own. Yields standard error as it was before.
    """
    sys.stderr.flush()
    before = os.dup(STDERR)
    reading, writing = os.pipe()
    with suppress(OSError):  # the user may have too many pipes of this size
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, LARGEST_PIPE)
    os.dup2(writing, STDERR)
    os.close(writing)
    over, end = os.pipe()
    thread = threading.Thread(target=_read, args=(reading, over, tell), name="standard error", daemon=True)
    thread.start()
    with open(before, "w", encoding="utf-8") as stderr:
        try:
            yield stderr
        finally:
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os.dup2(before, STDERR)
            os.close(end)
            thread.join()
            os.close(reading)
            os.close(over)


def _read(reading: int, over: int, tell: Callable[[str], object]) -> None:
    rest, until = b"", float("inf")
    while time.monotonic() < until:
        ready, _, _ = select.select([reading, over], [], [])
        if over in ready and until == float("inf"):
            until = time.monotonic() + LAST_LINES
        if reading not in ready or not (data := os.read(reading, LONGEST_LINE)):
            break
        *lines, rest = (rest + data).split(b"\n")
        if len(rest) > LONGEST_LINE:
            lines, rest = [*lines, rest], b""
        for line in lines:
            _tell(line, tell)
    _tell(rest, tell)


def _tell(line: bytes, tell: Callable[[str], object]) -> None:
    if text := line.decode(errors="backslashreplace").rstrip("\r"):
        tell(text)
