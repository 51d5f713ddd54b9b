"""What comes back from an evaluator: answers, points that it returns unevaluated, points that were killed, and all that
it had when it was lost. A point that keeps ending evaluators fails in the end.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection

from lodescan.v1 import evaluation_pb2 as pb
from proposer.evaluation.backend import Description
from proposer.evaluation.work import MOST_TRIES, Received
from proposer.types import Outcome, Status
from proposer.wire.elapsed import elapsed
from proposer.wire.messages import numbers_of, to_outcome
from proposer.wire.remote import Link
from proposer.wire.under_way import UnderWay

SECONDS_OF_NAMELESS = 100
"""The most entries in the seconds of a point, for an evaluator that does not name its codes."""


def take_results(
    points: UnderWay, link: Link, response: pb.EvaluateResponse, description: Description, say: Callable[[str], None]
) -> Received:
    """Takes the results of points that are out at this link, and removes the points from it. Results of other points
    are left out.
    """
    work = points.work
    outcomes: list[Outcome] = []
    killed: list[int] = []
    least, codes = description.least_losses, len(description.codes) or SECONDS_OF_NAMELESS
    again, raced = [], 0
    now, returned = elapsed(), time.time()
    results = list(response.results)
    for result, numbers in zip(results, numbers_of(results, least), strict=True):
        point = result.point_id
        if point not in link.out:
            _say_that_it_strays(link, point, say)
            continue
        if result.status == pb.STATUS_CANCELLED:
            link.answer(point, -1.0)
            if point in points.asked_back:
                points.given_back(point)
            elif point in work.rows and not points.is_out(point):
                link.draining = (
                    link.draining or point not in points.moved
                )  # the evaluator is going away: another one gets the point
                again.append(point)
            points.moved.pop(point, None)
            continue
        came = link.address, returned - (now - link.out[point]), returned
        outcome = to_outcome(result, numbers, least, codes=codes, came=came)
        seconds = sum(outcome.seconds)
        link.answer(point, seconds)
        if point not in work.rows:
            continue  # another evaluator has answered it
        if result.status == pb.STATUS_KILLED:
            killed.append(point)
            if work.tried(point) < MOST_TRIES:
                if point in points.asked_back:
                    points.given_back(point)
                elif not points.is_out(point):  # another evaluator may still be running it
                    again.append(point)
                continue
        points.times.append(seconds)
        if points.twice and point in points.twice:
            raced += 1
            _end_race(points, point)
        outcomes.append(outcome)
    work.done(answered.id for answered in outcomes)
    for answered in outcomes:
        points.moved.pop(answered.id, None)
        points.asked_back.discard(answered.id)
    points.put_back(again)
    if outcomes or killed:
        link.breaks = 0
    return Received(outcomes, killed, raced)


def _end_race(points: UnderWay, point: int) -> None:
    points.twice.discard(point)
    for other in points.links.values():
        if point in other.out:
            other.ask_back([point])
            other.running.pop(point, None)  # its result is not needed any more


def _say_that_it_strays(link: Link, point: int, say: Callable[[str], None]) -> None:
    if not link.strayed:
        link.strayed = True
        say(
            f"the evaluator at {link.address} answers points that it did not get, or answers them twice "
            f"(point {point}): such answers are left out; `lodescan-conformance` tells what is wrong with it"
        )


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
    for point in out:
        points.moved.pop(point, None)
    tries = dict.fromkeys(late, 1)
    if begun and (blamed := points.deaths.note(out, rows, begun)) is not None:
        tries.update([blamed])
        points.last_at[blamed[0]] = link.peer
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
