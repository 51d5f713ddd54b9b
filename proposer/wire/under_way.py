"""The points of a scan that are under way: those that wait, those that are out, and what is known of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from proposer.evaluation.work import Work
from proposer.wire.deaths import Deaths
from proposer.wire.remote import Link
from scanspec import Address

REMEMBERED = 101
"""Points of which the median time is taken."""


class UnderWay:
    """The points without an answer: what `work` has waits, runs at one of the `links`, or is suspected."""

    def __init__(self, links: Mapping[Address, Link]) -> None:
        self.links, self.work = links, Work([])
        self.asked_back: set[int] = set()  # no longer wanted, but still out
        self.moved: set[int] = set()  # asked back, in order to go to another evaluator
        self.twice: set[int] = set()  # out at two evaluators
        self.deaths = Deaths()  # of evaluators, and who may be to blame
        self.suspects: deque[int] = deque()  # those that wait
        self.last_at: dict[int, Address] = {}  # the evaluator that a point has ended most recently
        self.times: deque[float] = deque(maxlen=REMEMBERED)  # seconds of the last points that were answered

    def begin(self, work: Work) -> None:
        """Takes up points; those that are in no place are sent first."""
        self.work = work
        placed = {*work.waiting, *self.suspects, *(point for link in self.links.values() for point in link.out)}
        work.put_back(point for point in work.rows if point not in placed)

    def is_out(self, point: int) -> bool:
        """Whether any evaluator has it."""
        return any(point in link.out for link in self.links.values())

    def put_back(self, points: Iterable[int]) -> None:
        """Points that are out no longer are to be sent again."""
        others = []
        for point in points:
            if self.deaths.is_suspect(point):
                self.suspects.append(point)
            else:
                others.append(point)
        if others:
            self.work.put_back(others)

    def given_back(self, point: int) -> None:
        """A point that was asked back has come back from an evaluator: it is done with, unless another one has it."""
        if not self.is_out(point):
            self.asked_back.discard(point)
            self.work.done([point])

    def cancel(self, points: Collection[int]) -> None:
        """These points are no longer wanted. Those that have not begun are given up; the others are still answered.

        Evaluators are asked once for what they have, and return other points that have not begun too: these are sent
        again.
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
            mine = link.out.keys() & work.rows.keys()  # the other points were answered elsewhere
            if new.isdisjoint(mine):
                continue
            link.ask_back_waiting()  # a request that lists points would also end those that are running
            self.asked_back.update(mine & unwanted)
            self.moved.update(mine - unwanted)
