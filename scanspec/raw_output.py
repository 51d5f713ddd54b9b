"""For `--log-format json`: what others write to standard error becomes lines that can be logged.

Others are the interpreter, libraries in C, and a physics module while it is imported. Another process reads what they
write, so that the last words of a process that crashes are read, too.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from scanspec.detached import start_detached

STDERR = 2

LARGEST_PIPE = 2**20
"""Bytes that wait at most."""

LONGEST_LINE = 2**16
"""A longer line, in bytes, is cut into several."""


class WholeLines:
    """Writes whole lines to what is standard error now, in this process and in the one that reads for it."""

    def __init__(self) -> None:
        self.descriptor = os.dup(STDERR)
        self.lock = os.memfd_create("lines")  # the lock ends with a process that holds it

    def write(self, line: str) -> None:
        """Raises OSError if nobody reads."""
        content = f"{line}\n".encode(errors="backslashreplace")
        fcntl.lockf(self.lock, fcntl.LOCK_EX)
        try:
            while content:
                content = content[os.write(self.descriptor, content) :]
        finally:
            fcntl.lockf(self.lock, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self.descriptor)
        os.close(self.lock)


@contextmanager
def raw_lines(
    stderr: WholeLines, tell: Callable[[str], object], hear: Callable[[str], object]
) -> Iterator[Callable[[str], None]]:
    """In the block, lines that this process and its children write to descriptor 2 are given to `tell`, in another
    process. It writes to `stderr`, and ends after this process and its children. Yields a function that sends a line to
    `hear` in that process. If that process is killed, a thread of this one takes its place.
    """
    sys.stderr.flush()
    reading, writing = os.pipe()
    with suppress(OSError):  # the user may have too many pipes of this size
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, LARGEST_PIPE)
    control, controlling = os.pipe()
    ended, held = os.pipe()

    def read() -> None:
        _read(reading, control, tell, hear, outlives=True)

    def replace() -> None:
        select.select([ended], [], [])
        _read(reading, control, tell, str, outlives=False)  # nothing to hear: this process knows it all

    def send(line: str) -> None:
        with suppress(OSError):
            os.write(controlling, f"{line}\n".encode())

    start_detached(read, {reading, control, held, stderr.descriptor, stderr.lock})
    os.close(held)
    os.dup2(writing, STDERR)  # `writing` stays open, so that the pipe has no end even if somebody closes descriptor 2
    thread = threading.Thread(target=replace, name="standard error", daemon=True)
    thread.start()
    try:
        yield send
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os.dup2(stderr.descriptor, STDERR)
        send("")
        os.close(controlling)
        thread.join()
        for descriptor in (writing, reading, control, ended):
            os.close(descriptor)


def _read(
    reading: int, control: int, tell: Callable[[str], object], hear: Callable[[str], object], outlives: bool
) -> None:
    """Reads until an empty line comes from `control`. If `control` ends without it, the process that writes there has
    crashed: one that outlives it reads until all others have ended.
    """
    rest = heard = b""
    sources = [reading, control]
    while True:
        ready = select.select(sources, [], [])[0]
        if control in ready:
            some = os.read(control, LONGEST_LINE)
            *lines, heard = (heard + some).split(b"\n")
            if b"" in lines or not (some or outlives):
                break
            for line in lines:
                hear(line.decode())
            if not some:
                sources.remove(control)
        if reading in ready:
            some = os.read(reading, LONGEST_LINE)
            rest = _tell_lines(rest + some, tell)
            if not some:
                break
    left = _waiting(reading)  # at most a pipe full, because others may go on writing
    while left > 0:
        some = os.read(reading, min(left, LONGEST_LINE))
        rest = _tell_lines(rest + some, tell)
        left -= len(some)
    _tell(rest, tell)


def _waiting(reading: int) -> int:
    """The number of bytes that wait in a pipe."""
    (count,) = struct.unpack("i", fcntl.ioctl(reading, termios.FIONREAD, struct.pack("i", 0)))
    return int(count)


def _tell_lines(content: bytes, tell: Callable[[str], object]) -> bytes:
    """Tells the lines that end in the content. Returns the beginning of the next one."""
    *lines, rest = content.split(b"\n")
    if len(rest) > LONGEST_LINE:
        lines, rest = [*lines, rest], b""
    for line in lines:
        _tell(line, tell)
    return rest


def _tell(line: bytes, tell: Callable[[str], object]) -> None:
    if text := line.decode(errors="backslashreplace").rstrip("\r"):
        tell(text)
