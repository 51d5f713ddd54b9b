"""Points without an answer, and the results that arrive for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from proposer.types import Floats, Outcome, Pending

MOST_TRIES = 3
"""A point that was killed from outside this often has failed."""


@dataclass(frozen=True)
class Received:
    """What has come: answered points, the ids of those that were killed from outside once more, and how many of the
    answered ones two evaluators worked on.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    raced: int = 0


class Work:
    """Points without an answer: `rows` by id, each of shape (d,), columns as in `names`; `waiting` are to be sent next.
    `batch_of`: the number of a point's batch, for the evaluators' logs.

    For one thread.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.batch_of: Callable[[int], int] | None = None
        self.rows: dict[int, Floats] = {}
        self.waiting: deque[int] = deque()
        self._tries: dict[int, int] = {}

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
                if attempts:
                    self._tries[point] = attempts
                most -= 1

    def take(self, most: int) -> list[int]:
        """Takes up to so many of the waiting points."""
        return [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]

    def put_back(self, points: Iterable[int]) -> None:
        """Puts points in front of all others, to be sent again."""
        self.waiting.extendleft(sorted(points, reverse=True))

    def done(self, points: Iterable[int]) -> None:
        """Removes points that are answered or withdrawn. They must not be waiting."""
        for point in points:
            del self.rows[point]
            self._tries.pop(point, None)

    def give_up_waiting(self, points: Iterable[int]) -> None:
        """Withdraws those of the points that are still waiting."""
        gone = set(points) & set(self.waiting)
        if gone:
            self.waiting = deque(point for point in self.waiting if point not in gone)
            self.done(gone)

    def tried(self, point: int) -> int:
        """Notes that a point was killed from outside; returns how often it was."""
        self._tries[point] = self._tries.get(point, 0) + 1
        return self._tries[point]
