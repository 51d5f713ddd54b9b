"""Points without an answer, and the results that arrive for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from proposer.types import Outcome, Pending

MOST_TRIES = 3
"""After this many kills from outside, a point has failed."""


@dataclass(frozen=True)
class Received:
    """Results that have arrived: answered points, the ids of points that were killed from outside, and the number of
    answered points that two evaluators worked on.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    raced: int = 0


class Work:
    """Points without an answer: `rows` has their d values by id, in the order of `names`; `waiting` are the ids to send
    next. `batch_of` gives the number of a point's batch, for the evaluators' logs.

    Not thread-safe.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.batch_of: Callable[[int], int] | None = None
        self.rows: dict[int, list[float]] = {}
        self.waiting: deque[int] = deque()
        self._tries: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, points: Pending, most: int) -> None:
        """Adds at most `most` of the points that are not there yet, in order."""
        rows = points.params.tolist()
        for point, row, attempts in zip(points.ids.tolist(), rows, points.attempts.tolist(), strict=True):
            if most <= 0:
                return
            if point not in self.rows:
                self.rows[point] = row
                self.waiting.append(point)
                if attempts:
                    self._tries[point] = attempts
                most -= 1

    def take(self, most: int) -> list[int]:
        """Removes at most `most` points from the front of `waiting` and returns their ids."""
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
        """Withdraws the points that are still waiting."""
        gone = set(points) & set(self.waiting)
        if gone:
            self.waiting = deque(point for point in self.waiting if point not in gone)
            self.done(gone)

    def tried(self, point: int) -> int:
        """Notes that a point was killed from outside; returns how often this has happened."""
        self._tries[point] = self._tries.get(point, 0) + 1
        return self._tries[point]
