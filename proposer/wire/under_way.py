"""The points of a scan without an answer: those that wait, those that are out, and what is known about them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping

from proposer.evaluation.work import Work
from proposer.wire.deaths import Deaths
from proposer.wire.remote import Link
from scanspec import Address

REMEMBERED = 101
"""The number of last points for the median time."""


class UnderWay:
    """The points without an answer: each point of `work` waits, is out at one of the `links`, or is a suspect."""

    def __init__(self, links: Mapping[Address, Link]) -> None:
        self.links, self.work = links, Work([])
        self.asked_back: set[int] = set()  # no longer wanted, but still out
        self.moved: dict[int, float] = {}  # asked back at this time, in order to go to another evaluator
        self.twice: set[int] = set()  # out at two evaluators
        self.deaths = Deaths()  # deaths of evaluators, and the points that may be to blame
        self.suspects: deque[int] = deque()  # suspects that wait
        self.last_at: dict[int, Address] = {}  # the evaluator that a point has ended most recently
        self.times: deque[float] = deque(maxlen=REMEMBERED)  # seconds of the last answered points

    def begin(self, work: Work) -> None:
        """Begins with the points of `work`; points that neither wait nor are out are sent first."""
        self.work = work
        placed = {*work.waiting, *self.suspects, *(point for link in self.links.values() for point in link.out)}
        work.put_back(point for point in work.rows if point not in placed)

    @property
    def only_unwanted(self) -> bool:
        """Whether all points without an answer have been withdrawn."""
        return self.work.rows.keys() <= self.asked_back

    def is_out(self, point: int) -> bool:
        """Whether any evaluator has the point."""
        return any(point in link.out for link in self.links.values())

    def put_back(self, points: Iterable[int]) -> None:
        """Queues points that are no longer out, to be sent again."""
        others = []
        for point in points:
            if self.deaths.is_suspect(point):
                self.suspects.append(point)
            else:
                others.append(point)
        if others:
            self.work.put_back(others)

    def given_back(self, point: int) -> None:
        """Removes a point that an evaluator has returned as asked, unless another evaluator still has it."""
        if not self.is_out(point):
            self.asked_back.discard(point)
            self.work.done([point])

    def cancel(self, points: Collection[int]) -> None:
        """Withdraws points. Points that have not begun are given up; points that run are still answered.

        Every evaluator with such a point is asked once to return all points that have not begun. The other points among
        these are sent again.
        """
        work = self.work
        unwanted = set(points) & work.rows.keys()
        work.give_up_waiting(unwanted)
        unwanted &= work.rows.keys()
        for point in [suspect for suspect in self.suspects if suspect in unwanted]:
            self.suspects.remove(point)
            work.done([point])
        new = unwanted - self.asked_back
        for link in self.links.values():
            mine = link.out.keys() & work.rows.keys()  # other evaluators have answered the rest
            if new.isdisjoint(mine):
                continue
            link.ask_back_waiting()  # a request that lists points would also end those that are running
            self.asked_back.update(mine & unwanted)
            self.moved.update(dict.fromkeys(mine - unwanted, time.monotonic()))
