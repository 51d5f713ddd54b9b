"""What a lost evaluator had: its points are sent again, and one that ends evaluators runs alone, and fails at last."""

from __future__ import annotations

import time
from collections.abc import Collection

from proposer.evaluation.work import MOST_TRIES, Received
from proposer.types import Outcome, Status
from proposer.wire.remote import Link
from proposer.wire.under_way import UnderWay

MOST_SHARED = 2
"""A point that was among those that ran when an evaluator died, so often, runs alone from then on."""


def send_again(points: UnderWay, link: Link, suspects: Collection[int]) -> Received:
    """What was out at a link is to be sent again. `suspects`: points that may have ended the evaluator.

    One that ran alone has been killed from outside; of several nobody knows, so a point for which it is the second
    time runs alone from then on. After MOST_TRIES in all it has failed.
    """
    outcomes: list[Outcome] = []
    killed: list[int] = []
    again = []
    sent = link.out
    for point in link.take_back():
        if point not in points.work.rows:
            continue
        if point in points.asked_back:
            points.given_back(point)
            continue
        if point in suspects:
            if len(suspects) > 1:
                points.shared[point] += 1
            else:
                killed.append(point)
                points.suspects.add(point)
                if points.work.tried(point) + points.shared[point] >= MOST_TRIES:
                    outcomes.append(_failed(point, link.address, sent[point]))
                    continue
            if points.shared[point] >= MOST_SHARED:
                points.suspects.add(point)
        if not points.is_out(point):
            again.append(point)
    points.work.done(each.id for each in outcomes)
    points.put_back(again)
    return Received(outcomes, killed)


def _failed(point: int, address: str, sent: float) -> Outcome:
    return Outcome(
        id=point,
        status=Status.FAILED,
        message=f"the evaluator ended {MOST_TRIES} times while it ran, last the one at {address}",
        evaluator=address,
        sent=sent,
        returned=time.time(),
    )
