"""What an evaluator has to do: points without an answer, and how it is woken while it waits for one."""

from __future__ import annotations

import queue
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from proposer.types import Floats, Outcome, Pending

WOKEN: Final = object()
"""The event of `Work.wake`."""

Events = queue.SimpleQueue[tuple[object, Any]]
"""What happened: who says it, and a message, an error or WOKEN."""


@dataclass(frozen=True)
class Received:
    """One message: the answered points, and the ids of those that were killed from outside once more."""

    outcomes: list[Outcome]
    killed: list[int]


class Work:
    """Points without an answer: `rows` by id, each of shape (d,); `waiting` are those to be sent next.

    For one thread, but `wake`.
    """

    def __init__(self) -> None:
        self.rows: dict[int, Floats] = {}
        self.waiting: deque[int] = deque()
        self.events: Events = queue.SimpleQueue()
        self._attempts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, points: Pending, most: int) -> None:
        """Adds up to `most` points, the first of those that are not there yet."""
        for point, row, attempts in zip(points.ids.tolist(), points.params, points.attempts.tolist(), strict=True):
            if most <= 0:
                return
            if point not in self.rows:
                self.rows[point] = row
                self.waiting.append(point)
                self._attempts[point] = attempts
                most -= 1

    def start_again(self) -> None:
        """All points without an answer are to be sent: the connection is new."""
        self.waiting = deque(self.rows)

    def killed(self, point: int) -> int:
        """Notes that a point was killed from outside; returns how often it was."""
        self._attempts[point] += 1
        return self._attempts[point]

    def wake(self) -> None:
        """Makes whoever waits for a message go on at once; for any thread."""
        self.events.put((self, WOKEN))
