"""Handles the signals by which people, terminals, and batch systems end a command."""

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
"""The signals that end a command. A closed terminal sends SIGHUP; a batch system sends SIGUSR1, SIGUSR2, or SIGXCPU
before its limit.
"""

CHOSEN_ENDS = (
    signal.SIGALRM,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGIO,
    signal.SIGPWR,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
)
"""Signals that a user may choose in `sbatch --signal` or `timeout --signal`. They end a command unless something in its
process handles or ignores them, such as a profiler.
"""

ONE_END = 5.0
"""Seconds during which further signals count as the same request to end."""

AFTER_IMPORT = 0.05
"""Seconds after which a signal during an import is sent again."""

ending = threading.Event()
"""Set from the first signal that ends the command until the command is over."""


class Interrupted(KeyboardInterrupt):
    """A signal ends the command, as Ctrl-C does in a notebook. All results so far are on the disk."""

    def __init__(self, number: int) -> None:
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """A context in which the signals `ENDS` and `CHOSEN_ENDS` raise Interrupted. The previous handlers are restored at
    its end.

    SIGHUP stays ignored under `nohup`. In a thread other than the main thread, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupt, before = _interrupter(), {}
    for number in ENDS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, interrupt)
    for chosen in CHOSEN_ENDS:
        if signal.getsignal(chosen) is signal.SIG_DFL:
            before[chosen] = signal.signal(chosen, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        ending.clear()


def _is_import(frame: FrameType | None) -> bool:
    """Whether the frame is part of an import."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _interrupter() -> Callable[[int, FrameType | None], None]:
    first = -math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        # A second signal must not interrupt the orderly end. But Python loses a signal during a destructor, so a later
        # signal counts again.
        nonlocal first
        if _is_import(frame):  # an interrupted import cannot be repeated, and the end may need the module
            ending.set()
            threading.Timer(AFTER_IMPORT, os.kill, (os.getpid(), number)).start()
        elif time.monotonic() - first > ONE_END:
            first = time.monotonic()
            ending.set()
            raise Interrupted(number)

    return interrupt
