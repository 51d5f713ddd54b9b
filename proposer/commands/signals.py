"""The signals with which people, terminals and batch systems ask a command to end."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""A closed terminal sends SIGHUP; a batch system sends SIGUSR1, SIGUSR2 or SIGXCPU before its limit."""

ONE_END = 5.0
"""Seconds in which further signals are taken for the same wish to end."""

AFTER_IMPORT = 0.05
"""Seconds after which a signal that came while a module was loaded is sent again."""

ending = threading.Event()
"""Set when a signal has asked for an end, until the command is over."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end, as Ctrl-C asks a notebook; everything that was read is on the disk."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Signals that ask for an end raise Interrupted; handlers are as before afterwards.

    SIGHUP stays ignored where nohup has said so. Only the main thread may have handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupt, before = _interrupter(), {}
    for number in ENDS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        ending.clear()


def _is_import(frame: FrameType | None) -> bool:
    """Whether a module is being loaded."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _interrupter() -> Callable[[int, FrameType | None], None]:
    first = -math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        # A second signal must not break the orderly end. Python loses the first where it falls into a destructor,
        # so a later one counts again.
        nonlocal first
        if _is_import(frame):  # a library that was loaded by half cannot be loaded again, and the end may need it
            ending.set()
            threading.Timer(AFTER_IMPORT, os.kill, (os.getpid(), number)).start()
        elif time.monotonic() - first > ONE_END:
            first = time.monotonic()
            ending.set()
            raise Interrupted(number)

    return interrupt
