"""Sends the points of a lost evaluator again. A point that keeps ending evaluators fails in the end."""

from __future__ import annotations

import math
import time
from collections.abc import Collection

from proposer.evaluation.work import MOST_TRIES, Received
from proposer.types import Outcome, Status
from proposer.wire.elapsed import elapsed
from proposer.wire.remote import Link
from proposer.wire.under_way import UnderWay


def send_again(points: UnderWay, link: Link, *, begun: Collection[int] = (), late: Collection[int] = ()) -> Received:
    """Queues the points that were out at a link, to be sent again.

    `begun`: points that may have run when the evaluator ended, perhaps because of one of them. `late`: points that have
    run for too long. Both count as tries of a point, as if its worker had been killed; after MOST_TRIES tries a point
    has failed.
    """
    rows, sent = points.work.rows, link.out
    out = link.take_back()
    for point in out:
        if point in rows and point in points.asked_back:
            points.given_back(point)
    points.moved.difference_update(out)
    tries = dict.fromkeys(late, 1)
    if begun and (blamed := points.deaths.note(out, rows, begun)) is not None:
        tries.update([blamed])
        points.last_at[blamed[0]] = link.place
    killed: list[int] = []
    outcomes: list[Outcome] = []
    again: list[int] = []
    for point in out:
        if point not in rows:
            continue
        tried = [points.work.tried(point) for _ in range(tries.get(point, 0))]
        killed += [point] * len(tried)
        if tried and tried[-1] >= MOST_TRIES:
            outcomes.append(_failed(point, link.address, elapsed() - sent[point]))
        elif not points.is_out(point):
            again.append(point)
    points.work.done(outcome.id for outcome in outcomes)
    points.put_back(again)
    if outcomes and not math.isnan(link.seconds):  # an evaluator that has never given a result may itself be at fault
        link.breaks = 0
    return Received(outcomes, killed)


def _failed(point: int, address: str, seconds_out: float) -> Outcome:
    now = time.time()
    return Outcome(
        id=point,
        status=Status.FAILED,
        message=f"the evaluator ended {MOST_TRIES} times while it ran, last the one at {address}",
        evaluator=address,
        sent=now - seconds_out,
        returned=now,
    )
