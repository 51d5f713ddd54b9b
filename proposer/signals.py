"""Handles the signals by which people, terminals, and batch systems end a command or a call."""

from __future__ import annotations

import inspect
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
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

MOST_SIGNALS = 4096
"""The most signals that are looked at."""

_held: list[bool] = []
"""Not empty in a context `uninterrupted`."""

ending = threading.Event()
"""Set from the first signal that ends the command until the command is over."""


class Interrupted(KeyboardInterrupt):
    """A signal ends the command, as Ctrl-C does in a notebook. All results so far are on the disk."""

    def __init__(self, number: int) -> None:
        self.number = number


def interruptible() -> AbstractContextManager[None]:
    """A context for a command, in which the signals `ENDS` and `CHOSEN_ENDS` raise Interrupted. The previous handlers
    are restored at its end.

    SIGHUP stays ignored under `nohup`. In a thread other than the main thread, nothing changes.
    """
    ends = [each for each in ENDS if each != signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN]
    return _ended_by([*ends, *(each for each in CHOSEN_ENDS if signal.getsignal(each) is signal.SIG_DFL)])


def interruptible_call() -> AbstractContextManager[None]:
    """A context for a call from Python, in which only Ctrl-C, or the stop button of a notebook, raises Interrupted. If
    the caller handles this signal, nothing changes.
    """
    return _ended_by([signal.SIGINT] if signal.getsignal(signal.SIGINT) is signal.default_int_handler else [])


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A context within the above ones that a signal does not interrupt. It is handled soon after."""
    _held.append(True)
    try:
        yield
    finally:
        _held.pop()


@contextmanager
def arrivals() -> Iterator[Callable[[], bool]]:
    """A context within `interruptible`, in the main thread. It gives a function that tells whether a signal that ends
    the command has arrived. Another thread learns this even before the signal is handled, because the main thread is in
    a long call into a library, such as a training.
    """
    ends = {each for each in (*ENDS, *CHOSEN_ENDS) if signal.getsignal(each) is signal.getsignal(signal.SIGTERM)}
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)

        def have_come() -> bool:
            with suppress(BlockingIOError):
                return ending.is_set() or not ends.isdisjoint(ours.recv(MOST_SIGNALS, socket.MSG_PEEK))
            return False

        before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        try:
            yield have_come
        finally:
            signal.set_wakeup_fd(before)


@contextmanager
def _ended_by(numbers: Sequence[int]) -> Iterator[None]:
    if not numbers or threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupt, before = _interrupter(_imports(inspect.currentframe())), {}
    for number in numbers:
        before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        ending.clear()


def _imports(frame: FrameType | None) -> int:
    """The number of imports of which the frame is a part."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename.startswith("<frozen importlib")
        frame = frame.f_back
    return count


def _interrupter(imports: int) -> Callable[[int, FrameType | None], None]:
    """The handler of signals. `imports`: those of which the whole call is a part."""
    first = -math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        # A second signal must not interrupt the orderly end. But Python loses a signal during a destructor, so a later
        # signal counts again.
        nonlocal first
        if _held or _imports(frame) > imports:  # half an import cannot be repeated, and the end may need the module
            ending.set()
            threading.Timer(AFTER_IMPORT, os.kill, (os.getpid(), number)).start()
        elif time.monotonic() - first > ONE_END:
            first = time.monotonic()
            ending.set()
            raise Interrupted(number)

    return interrupt
