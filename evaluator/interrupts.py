"""Handles SIGINT for a command whose codes run in a child process, so that each interrupt counts once.

A terminal sends SIGINT to both processes, a notebook or a supervisor only to the parent. The parent passes it on as
another signal, PASSED_ON, so that the child can distinguish two copies of one interrupt from two interrupts.
"""

from __future__ import annotations

import signal
from types import FrameType

PASSED_ON = signal.SIGRTMAX - 1
"""A signal that neither Python, nor the C library, nor batch systems use."""

seen: dict[int, int] = {}
"""How often each of the two signals has arrived."""

_raised = [0]
"""The number of interrupts for which KeyboardInterrupt was raised."""


def take_interrupts() -> None:
    """Makes the child raise KeyboardInterrupt for a SIGINT to itself or to its parent."""
    seen.update({signal.SIGINT: 0, PASSED_ON: 0})
    for number in seen:
        signal.signal(number, _interrupt)


def may_have_come() -> bool:
    """Whether a KeyboardInterrupt asks this process to end. This is not so in a worker, nor before any signal has
    arrived: then a code has raised it.
    """
    handler = signal.getsignal(signal.SIGINT)
    return handler is signal.default_int_handler or (handler is _interrupt and _raised[-1] > 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    seen[number] += 1
    if frame is not None and frame.f_code is _interrupt.__code__:
        return  # the other signal came first: it would not be counted if this one raised an exception in its handler
    if (sent := max(seen.values())) > _raised[-1]:
        _raised[:] = [sent]
        raise KeyboardInterrupt
