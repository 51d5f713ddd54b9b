"""Shows what codes print on a terminal without control sequences, which the terminal would obey."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import sys
from collections.abc import Iterator

from scanspec import visible
from scanspec.detached import start_detached

LAST_WORDS = 1.0
"""Seconds to wait until everything is shown. A process that a code leaves behind may keep the output open."""


@contextlib.contextmanager
def cleaned() -> Iterator[None]:
    """A context in which whatever this process and its children write on a terminal, as standard output or error,
    passes through another process, which outlives a crash of this one.
    """
    terminals = [number for number in (1, 2) if os.isatty(number)]
    if not terminals:
        yield
        return
    flush()
    kept = {number: os.dup(number) for number in terminals}
    reading, writing = os.pipe()
    ended, held = os.pipe()
    terminal = kept[terminals[0]]
    # among the others is the pipe by which `alone` sees that everything is shown
    others = {int(name) for name in os.listdir("/proc/self/fd")} - {writing, ended}
    start_detached(lambda: _show(reading, terminal), others)
    for number in terminals:
        os.dup2(writing, number)
    for descriptor in (reading, writing, held):
        os.close(descriptor)
    try:
        yield
    finally:
        flush()
        for number, before in kept.items():
            os.dup2(before, number)
            os.close(before)
        select.select([ended], [], [], LAST_WORDS)
        os.close(ended)


def flush() -> None:
    """Writes what standard output and error still hold."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a code may have closed or replaced it
            stream.flush()


def _show(reading: int, terminal: int) -> None:
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    while content := os.read(reading, 2**16):
        text = decode(content).replace("\r\n", "\n").replace("\r", "\n")  # progress bars go back to the line's start
        shown = visible(text).encode()
        while shown:
            shown = shown[os.write(terminal, shown) :]
