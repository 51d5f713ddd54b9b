"""Decides how many points go to a worker in one message."""

from __future__ import annotations

import math

from evaluator.executors.job import Job, JobQueue

QUICK = 0.002
"""The largest seconds per point for which several points share a message to a worker."""

GROUP_SECONDS = 0.01
"""The intended seconds for all points of one such message together."""

LARGEST_GROUP = 64

SHORT_GROUP, SHORT_SECONDS = 32, 0.001
"""While all other workers are busy, at most this many points share a message, if together they take at most this many
seconds. A message takes about 0.2 ms of CPU beside its points: with 16 points instead of 32, a free point of a batch of
64 cost a tenth more.
"""


class Groups:
    """Follows how quick the points of one worker are."""

    def __init__(self) -> None:
        self._seconds = math.inf  # per point, a running mean
        self._largest = 1  # points of a message since the last slow point

    def more(self, jobs: JobQueue, workers: int) -> list[Job]:
        """Further points for the same message, when points are so quick that sending messages would take longer."""
        return jobs.take(self.size(jobs.qsize(), workers, jobs.idle) - 1)

    def size(self, waiting: int, workers: int, idle: int = 0) -> int:
        """The number of points of the next message. `waiting`: the points that wait behind the first one; `idle`: the
        workers that have nothing to do.
        """
        if self._seconds > QUICK:
            return 1
        seconds = max(self._seconds, 1e-6)
        size = -(-(1 + waiting) // workers)  # a share for each worker, rounded up
        if not idle:  # no other worker could take these points now
            size = max(size, min(int(SHORT_SECONDS / seconds), SHORT_GROUP))
        # at most twice the largest group: a few quick points do not show that the next ones are quick too
        size = max(min(size, 1 + waiting, int(GROUP_SECONDS / seconds), 2 * self._largest, LARGEST_GROUP), 1)
        self._largest = max(self._largest, size)
        return size

    def note(self, seconds: float) -> None:
        """Notes the seconds per point of a message; NaN, from an unknown kind of code, counts as slow."""
        seconds = seconds if seconds >= 0.0 else math.inf
        if seconds > QUICK:
            self._largest = 1
        self._seconds = seconds if math.isinf(self._seconds) else 0.8 * self._seconds + 0.2 * seconds

    def lose(self) -> None:
        """Notes that a message was lost with its worker: the next points go one by one."""
        self._seconds, self._largest = math.inf, 1
