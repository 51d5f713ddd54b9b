"""Deadlines inside a worker, for codes that are Python functions."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from evaluator.errors import CodeTimedOut

DEFAULT_TIMEOUT = 600.0
"""Seconds a code may take for one point where the file does not say; what BSMArt gives SPheno."""


@contextmanager
def deadline(seconds: float, name: str) -> Iterator[None]:
    """Raises CodeTimedOut in the block once it has run for `seconds`.

    Works in a main thread only. A function that hangs in compiled code does not notice; then
    the owner of the worker ends the whole process a little later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(*_: object) -> None:
        raise CodeTimedOut(f"{name} ran past its deadline of {seconds:g} s and was ended")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
