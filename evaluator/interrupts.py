"""SIGINT for a command whose codes run in a child: each of them counts once, whomever it was sent to.

A terminal sends it to both processes, a notebook or a supervisor to the parent alone. The parent passes on what it
gets as another signal, PASSED_ON, so that the child can tell the two copies of one interrupt from two interrupts.
"""

from __future__ import annotations

import signal
from types import FrameType

PASSED_ON = signal.SIGRTMAX - 1
"""A signal that nobody else uses: Python, the C library and batch systems know the others."""

seen: dict[int, int] = {}
"""How often each of the two signals has come."""

_raised = [0]
"""For how many interrupts KeyboardInterrupt was raised."""


def take_interrupts() -> None:
    """In the child: KeyboardInterrupt is raised for a SIGINT of its own or of its parent."""
    seen.update({signal.SIGINT: 0, PASSED_ON: 0})
    for number in seen:
        signal.signal(number, _interrupt)


def are_taken() -> bool:
    """Whether a KeyboardInterrupt here means that somebody has asked this process to end; not so in a worker."""
    return signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _interrupt)


def _interrupt(number: int, _: FrameType | None) -> None:
    seen[number] += 1  # first of all: the other signal may come at any line of this
    if (sent := max(seen.values())) > _raised[-1]:
        _raised[:] = [sent]
        raise KeyboardInterrupt
