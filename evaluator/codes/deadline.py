"""Deadlines inside a worker, for codes that are Python functions."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from evaluator.clock import lived, missing
from evaluator.errors import CodeTimedOut
from scanspec import Section
from scanspec.codes import LONGEST_TIMEOUT

T = TypeVar("T")
R = TypeVar("R")

DEFAULT_TIMEOUT = 600.0
"""Seconds that a code may take for one point if the file does not say; BSMArt gives SPheno the same time."""


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """The time that a code may take for one point, in seconds.

    `first` holds until a point of the process has ended by itself, because some codes compile at their first point.
    None means the same time as `later`, which holds for all other points.
    """

    first: float | None = None
    later: float = DEFAULT_TIMEOUT

    def seconds(self, *, first: bool) -> float:
        """The deadline of the first point, or of a later one."""
        return self.later if self.first is None or not first else self.first

    @property
    def longest(self) -> float:
        return max(self.seconds(first=True), self.later)

    def at_most(self, seconds: float) -> Deadline:
        """This deadline, but not longer than `seconds`."""
        return Deadline(first=min(self.seconds(first=True), seconds), later=min(self.later, seconds))

    def read(self, code: Section) -> Deadline:
        """The deadline from the keys `timeout` and `first_timeout` of a code's section; this one's values are the
        defaults.

        Without `first_timeout`, the first point has at least as much time as later points. Raises ScanFileError.
        """
        later = code.number_in("timeout", self.later, 0.0, LONGEST_TIMEOUT, open_low=True)
        first = later if self.first is None else max(later, self.first)
        return Deadline(first=code.number_in("first_timeout", first, 0.0, LONGEST_TIMEOUT, open_low=True), later=later)


set_before: list[tuple[float, str, float]] = []
"""The newest deadline: its seconds, the name of the code, and the evaluator's running time at its start; empty before
the first.
"""


def run_by(seconds: float, name: str, function: Callable[[T], R], argument: T) -> R:
    """Returns function(argument). Raises CodeTimedOut if it has not returned after `seconds`.

    The deadline works only in the main thread. A function that hangs in compiled code, or that handles SIGALRM itself,
    is not interrupted; then the owner of the worker ends the process a little later.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return function(argument)
    if not set_before:
        prepare()
    set_before[:] = [(seconds, name, lived())]
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return function(argument)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def prepare() -> None:
    """Installs the handler of SIGALRM, once, because this takes longer than a quick point."""
    signal.signal(signal.SIGALRM, _ring)
    set_before[:] = [(0.0, "", 0.0)]


def _ring(*_: Any) -> None:
    seconds, name, since = set_before[0]
    if (left := missing(seconds, since)) > 0.0:  # the evaluator and this point were suspended
        signal.setitimer(signal.ITIMER_REAL, left)
        return
    raise CodeTimedOut(f"{name} ran past its deadline of {seconds:g} s and was ended")
