"""For `--log-format json`: what others write to standard error becomes lines that can be logged.

Others are the interpreter, libraries in C, and a physics module while it is imported.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import termios
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

LAST_LINES = 10.0
"""The most seconds at the end for lines that wait."""


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
    os.dup2(writing, STDERR)  # `writing` stays open, so that the pipe has no end even if somebody closes descriptor 2
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
            for descriptor in (writing, reading, over):
                os.close(descriptor)


def _read(reading: int, over: int, tell: Callable[[str], object]) -> None:
    rest = b""
    while over not in select.select([reading, over], [], [])[0]:
        rest = _read_some(reading, rest, tell, LONGEST_LINE)
    left, until = _waiting(reading), time.monotonic() + LAST_LINES  # others may go on writing
    while left > 0 and time.monotonic() < until:
        some = min(left, LONGEST_LINE)
        rest = _read_some(reading, rest, tell, some)
        left -= some
    _tell(rest, tell)


def _waiting(reading: int) -> int:
    """The number of bytes that wait in a pipe."""
    (count,) = struct.unpack("i", fcntl.ioctl(reading, termios.FIONREAD, struct.pack("i", 0)))
    return int(count)


def _read_some(reading: int, rest: bytes, tell: Callable[[str], object], most: int) -> bytes:
    """Reads at most so many bytes that are there, and tells the lines that end in them. `rest` and the result are the
    beginning of a line.
    """
    *lines, rest = (rest + os.read(reading, most)).split(b"\n")
    if len(rest) > LONGEST_LINE:
        lines, rest = [*lines, rest], b""
    for line in lines:
        _tell(line, tell)
    return rest


def _tell(line: bytes, tell: Callable[[str], object]) -> None:
    if text := line.decode(errors="backslashreplace").rstrip("\r"):
        tell(text)
