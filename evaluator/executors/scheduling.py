"""How the system schedules this process. A function may change it for all later points."""

from __future__ import annotations

from contextlib import suppress
from os import (  # by name, because a code may replace functions of `os`
    PRIO_PROCESS,
    getpriority,
    sched_getaffinity,
    sched_getparam,
    sched_getscheduler,
    sched_setaffinity,
    sched_setscheduler,
    setpriority,
)


class Scheduling:
    """The priority, the policy and the cores of the present thread, as they are when this is made or told to `note`
    them.
    """

    def __init__(self) -> None:
        self.note()

    def note(self) -> None:
        """Takes what holds now for what is to be restored."""
        self._before, self._parameters = _now(), sched_getparam(0)

    def restore(self) -> bool:
        """Undoes what a function has changed. Returns False if that is not allowed: a process may lower its priority,
        but not always raise it again.
        """
        if _now() == self._before:
            return True
        priority, policy, cores = self._before
        with suppress(OSError):
            sched_setscheduler(0, policy, self._parameters)
            sched_setaffinity(0, cores)
            setpriority(PRIO_PROCESS, 0, priority)
        return _now() == self._before


def _now() -> tuple[int, int, set[int]]:
    return getpriority(PRIO_PROCESS, 0), sched_getscheduler(0), sched_getaffinity(0)
