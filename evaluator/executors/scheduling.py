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
        self._priority, self._policy = getpriority(PRIO_PROCESS, 0), sched_getscheduler(0)
        self._cores, self._parameters = sched_getaffinity(0), sched_getparam(0)

    def restore(self) -> bool:
        """Undoes what a function has changed. Returns False if that is not allowed: a process may lower its priority,
        but not always raise it again.
        """
        if self._is_unchanged():
            return True
        with suppress(OSError):
            sched_setscheduler(0, self._policy, self._parameters)
            sched_setaffinity(0, self._cores)
            setpriority(PRIO_PROCESS, 0, self._priority)
        return self._is_unchanged()

    def _is_unchanged(self) -> bool:
        return (
            getpriority(PRIO_PROCESS, 0) == self._priority
            and sched_getscheduler(0) == self._policy
            and sched_getaffinity(0) == self._cores
        )
