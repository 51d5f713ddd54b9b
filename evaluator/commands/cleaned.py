"""Shows what codes print on a terminal without control sequences, which the terminal would obey."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator

from scanspec import visible

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
    _flush()
    kept = {number: os.dup(number) for number in terminals}
    reading, writing = os.pipe()
    ended, held = os.pipe()
    _start(reading, kept[terminals[0]], (writing, ended))
    for number in terminals:
        os.dup2(writing, number)
    for descriptor in (reading, writing, held):
        os.close(descriptor)
    try:
        yield
    finally:
        _flush()
        for number, terminal in kept.items():
            os.dup2(terminal, number)
            os.close(terminal)
        select.select([ended], [], [], LAST_WORDS)
        os.close(ended)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # a code may have closed or replaced it
            stream.flush()


def _start(reading: int, terminal: int, others: tuple[int, int]) -> None:
    """Starts the other process. It is no child of this one, because a code may wait for all children."""
    between = os.fork()
    if between == 0:
        try:
            if os.fork() == 0:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the output
                for descriptor in others:
                    os.close(descriptor)
                _show(reading, terminal)
        finally:
            os._exit(0)
    os.waitpid(between, 0)


def _show(reading: int, terminal: int) -> None:
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    while content := os.read(reading, 2**16):
        text = decode(content).replace("\r\n", "\n").replace("\r", "\n")  # progress bars go back to the line's start
        shown = visible(text).encode()
        while shown:
            shown = shown[os.write(terminal, shown) :]
