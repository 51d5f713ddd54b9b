"""Uses many evaluators as one: points are shared out by their speeds, and points of a lost evaluator go to others.

Results do not depend on the evaluator, so the number of evaluators does not change a scan.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Collection, Generator, Sequence

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import Description, Load, anything
from proposer.evaluation.work import Received, Work
from proposer.wire.answers import send_again, take_results
from proposer.wire.asking import SIGN_OF_LIFE
from proposer.wire.attendance import AGAIN, UNNAMED, Attendance, Purpose
from proposer.wire.events import Gone, NoAnswer, Serving, Sign
from proposer.wire.hand_out import hand_out, race, rebalance
from proposer.wire.patience import Patience, name_points
from proposer.wire.remote import MOST_AHEAD, Link
from proposer.wire.security import PLAIN, Security
from proposer.wire.under_way import UnderWay

RACE_EVERY = 0.25
"""Seconds between two looks for points that run for long."""


class Pool(Attendance):
    """The evaluators at `places`, as one; see Attendance. `race`: whether a slow point may be sent to a second
    evaluator where workers are idle.
    """

    def __init__(
        self,
        places: Sequence[str],
        *,
        say: Callable[[str], None],
        security: Security = PLAIN,
        purpose: Purpose = UNNAMED,
        race: bool = True,
    ) -> None:
        super().__init__(places, say=say, security=security, purpose=purpose)
        self._may_race = race
        self._points = UnderWay(self._links)

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        """Hands out the points of `work`, and yields the results of each message as it arrives.

        Every point is answered in the end, even if connections break, unless the time `until` comes first: then it only
        waits for points that run, and only for a time of grace (see Patience). It does not wait for points that were
        withdrawn (see `cancel`) if their evaluator gives no sign of life. Raises NoEvaluator after `wait` seconds
        without an evaluator, or if all evaluators only break off, and EvaluatorRefused if all now compute something
        else.
        """
        points, patience, nobody_since = self._points, Patience(until, self._say), math.inf
        points.begin(work)
        self._let_take_part(work.names)
        while work.rows:
            now, links = time.monotonic(), list(self._links.values())
            if missed := self._suspensions.taken():
                nobody_since += missed
                patience.leave_out(missed, links, now)
            somebody = any(link.ready and (link.out or not link.draining) for link in links)
            # 1. When the time is over, ask back the points that have not begun; wait a little for those that run.
            over = now >= until
            if over:
                self.cancel(list(work.rows))
                if not work.rows or not somebody:
                    return
                if patience.is_over(links, now):
                    self._give_up_all()
                    return
            # 2. If there is no evaluator, wait for one.
            nobody_since = math.inf if somebody else min(now, nobody_since)
            if not somebody:
                self._raise_or_say(wait, now - nobody_since)
            # 3. Take back points that should have been answered long ago, unless their answers have just come in.
            if patience.left(links, now) <= 0.0:
                yield from self._come_in()
                if not work.rows:
                    return
            for link in links:
                if late := patience.overdue(link, now):
                    given_back = send_again(points, link, late=late)
                    link.leave(AGAIN)
                    yield given_back
            # 4. Hand out the points that wait. Send slow points to a second evaluator, too.
            if not over:
                hand_out(points)
                rebalance(points)
                if self._may_race:
                    race(points)
            # 5. If no point is wanted any more, see that the evaluators which still run some are there.
            for link in links if points.only_unwanted else ():
                if link.out:
                    link.ask_for_sign()
            # 6. Wait for the next event, and deal with it.
            due = min(patience.left(links, now), nobody_since + wait - now, self._next_look(links))
            received = self._next(due)
            if received is not None:
                yield received

    def _next(self, seconds: float) -> Received | None:
        """Handles the next event within `seconds`. Returns None if there is nothing to report."""
        try:
            link, event = self._events.get(timeout=min(max(seconds, 0.001), threading.TIMEOUT_MAX))
        except queue.Empty:
            return Received()
        if link is not None:
            return self._take_up(link, event)
        if event is None:  # only a wake-up call
            return Received()
        self._look(event)
        return None

    def _come_in(self) -> Generator[Received]:
        """Handles the events that are there already."""
        for _ in range(self._events.qsize()):
            if (received := self._next(0.0)) is not None:
                yield received

    def _take_up(self, link: Link, event: object) -> Received | None:
        """Handles an event that a link has posted."""
        if self._is_forgotten(link):
            return None
        if isinstance(event, Description):
            self._consider(link, event, anything)
        elif isinstance(event, NoAnswer):
            self._not_described(link, event)
        elif not link.ready:  # the event comes from a stream that was given up
            return None
        elif isinstance(event, Serving):
            self._takes_points(link, event)
            return Received()
        elif isinstance(event, Sign):
            return self._take_sign(link, event)
        elif isinstance(event, Gone):
            begun = link.begun_by(event.at)  # before the link forgets how many workers there were
            return send_again(self._points, link, begun=begun if self._gone(link, event) else ())
        elif isinstance(event, pb.EvaluateResponse) and self._reference is not None:
            if self._is_another(event):
                received = send_again(self._points, link)
                self._turn_away(link)
                return received
            received = take_results(self._points, link, event, self._reference, self._say)
            self._leave_if_drained(link)
            link.took_up(len(received.outcomes), event.concurrency)
            link.read_next()
            return received
        return None

    def _take_sign(self, link: Link, sign: Sign) -> Received:
        """Stops waiting for an evaluator that gives no sign of life, if none of its points is wanted any more. A wanted
        point is waited for, because a suspended evaluator may go on.
        """
        if not link.took_sign(sign) or not link.out or not self._points.only_unwanted:
            return Received()
        self._say(
            f"the evaluator at {link.address} is suspended or cannot be reached: no longer waiting for "
            f"{name_points(link.out)}; sent again if the run goes on"
        )
        link.description = None  # it would not hear that the scan is finished
        link.leave(AGAIN)
        return send_again(self._points, link)

    @property
    def load(self) -> Load:
        """The present numbers of evaluators, workers and points; callable from any thread."""
        links = [link for link in list(self._links.values()) if link.ready]
        busy = sum(min(len(link.running), link.concurrency) for link in links)
        waiting = len(self._points.work.waiting) + sum(len(link.queued) for link in links)
        return Load(len(links), sum(link.concurrency for link in links), busy, waiting)

    def _next_look(self, links: Sequence[Link]) -> float:
        """The time in seconds until slow points and slow evaluators are looked for again."""
        if self._points.only_unwanted:
            return SIGN_OF_LIFE
        return RACE_EVERY if len(links) > 1 and any(link.out for link in links) else math.inf

    def cancel(self, points: Collection[int]) -> None:
        """Withdraws points. Points that have not begun are given up; points that run are still answered."""
        self._points.cancel(points)

    def _give_up_all(self) -> None:
        """Gives up all points that are out, without waiting for them."""
        for link in self._links.values():
            if link.out:
                link.take_back()
                link.leave(AGAIN)

    def points_in(self, seconds: float) -> int:
        """The number of points that the workers finish in `seconds`, plus one per worker; at first two per worker."""
        total = sum(link.points_in(seconds) for link in self._links.values() if link.description is not None)
        return math.ceil(min(max(total, 1.0), MOST_AHEAD))
