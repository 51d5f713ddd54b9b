"""Decides how many points each evaluator gets, and which points a second evaluator gets, too."""

from __future__ import annotations

import heapq
import math
import statistics
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from proposer.wire.elapsed import elapsed
from proposer.wire.remote import Link
from proposer.wire.under_way import UnderWay

SLOW = 3.0
"""A point that runs for this many times the median is sent to a second evaluator that has idle workers."""

LEAST = 0.5
"""Seconds below which no point is slow."""

KNOWN = 5
"""The number of answered points before any point is called slow."""


def hand_out(points: UnderWay) -> None:
    """Sends waiting points to evaluators that have room."""
    links, work = list(points.links.values()), points.work
    kept_free = _send_suspects(points, links) if points.suspects else None
    if not work.waiting:
        return
    since = slow_since(points)
    roomy = [link for link in links if link.room > 0 and link is not kept_free and not _is_stuck(link, since)]
    for link, number in share_out(roomy, len(work.waiting)):
        link.send(work.take(number), work)


def _send_suspects(points: UnderWay, links: Sequence[Link]) -> Link | None:
    """Sends the suspects (points that may have ended an evaluator) that may be sent now.

    Returns an evaluator to be kept free for the next suspect, or None.
    """
    able = [link for link in links if link.ready and not link.draining]
    out = {point for link in links for point in link.out}
    queue, later = points.suspects, list[int]()
    kept_free = None
    while queue and able and kept_free is None:
        point = queue.popleft()
        if point not in points.work.rows:
            continue
        if not points.deaths.is_suspect(point):  # another point was to blame
            points.work.put_back([point])
        elif points.deaths.waits(point, out):
            later.append(point)
        elif (free := _free_for(points, point, able)) is not None:
            out.add(point)
            free.send([point], points.work)
            free.most[point] = 1 if points.deaths.runs_alone(point) else free.concurrency
        else:
            queue.appendleft(point)
            kept_free = min(_others(points, point, able), key=lambda link: len(link.out))
    queue.extend(later)
    return kept_free


def _free_for(points: UnderWay, point: int, able: Sequence[Link]) -> Link | None:
    """An evaluator that a suspect may be sent to: one without points, or one with an idle worker if it need not run
    alone.
    """
    alone = points.deaths.runs_alone(point)
    free = (link for link in _others(points, point, able) if link.room_below(1 if alone else link.concurrency) > 0)
    return next(free, None)


def _others(points: UnderWay, point: int, able: Sequence[Link]) -> Sequence[Link]:
    """The evaluators that the point has not just ended, if there are any; another one may be able to run it."""
    return [link for link in able if link.peer != points.last_at.get(point)] or able


def slow_since(points: UnderWay) -> float:
    """The time of time.monotonic before which a point must have begun to be slow now. It is -infinity, so that no point
    is slow, if the speed is not known yet or if there is only one evaluator.
    """
    if len(points.links) < 2 or len(points.times) < KNOWN:
        return -math.inf
    return time.monotonic() - max(SLOW * statistics.median(points.times), LEAST)


def _is_stuck(link: Link, since: float) -> bool:
    """Whether all workers of an evaluator have had their points since before `since`, or it is suspended. It is not
    known when the other points of such an evaluator begin.
    """
    if link.heard >= since or len(link.out) < link.concurrency:
        return False
    last_busy = next(islice(link.out.values(), link.concurrency - 1, None))  # when its last worker was sent a point
    return elapsed() - last_busy > time.monotonic() - since


def race(points: UnderWay) -> None:
    """Sends slow points to a second evaluator as well, if that one has idle workers."""
    links, work = list(points.links.values()), points.work
    if work.waiting or len(links) < 2:
        return
    wanted = work.rows.keys() - points.twice - points.asked_back - points.deaths.suspects
    for point, link in slow_points(links, wanted, slow_since(points), points.moved):
        points.twice.add(point)
        link.send([point], work)


def rebalance(points: UnderWay) -> None:
    """Asks back points that an evaluator has beyond its present window if another evaluator has idle workers. This
    happens when points take longer than before. From a stuck evaluator, all points that wait are asked back.
    """
    links, since = list(points.links.values()), slow_since(points)
    if points.work.waiting or len(links) < 2:
        return
    if not any(link.room > 0 and _idle(link) > 0 and not _is_stuck(link, since) for link in links):
        return
    unanswered = points.work.rows
    for link in links:
        beyond = len(link.queued) if _is_stuck(link, since) else len(link.out) - link.window_now
        last = list(link.queued)[-beyond:] if beyond > 0 else []
        if back := [point for point in last if point in unanswered and point not in points.moved]:
            points.moved.update(dict.fromkeys(back, time.monotonic()))
            link.ask_back(back)


def share_out(links: Sequence[Link], points: int) -> Iterator[tuple[Link, int]]:
    """Shares out `points` points among links, within their room, so that all finish at the same time. Yields (link,
    number).

    A link of unknown speed counts as the fastest one.
    """
    if len(links) == 1:
        yield links[0], min(links[0].room, points)
        return
    known = [link.seconds for link in links if not math.isnan(link.seconds)]
    quickest = max(min(known, default=1.0), 1e-6)
    seconds_per_point = [
        (quickest if math.isnan(link.seconds) else max(link.seconds, 1e-6)) / link.concurrency for link in links
    ]
    rooms = [link.room for link in links]
    heap = [((len(link.out) + 1) * seconds_per_point[k], k) for k, link in enumerate(links)]
    heapq.heapify(heap)
    given = [0] * len(links)
    while points and heap:
        done, k = heap[0]
        given[k] += 1
        points -= 1
        if given[k] < rooms[k]:
            heapq.heapreplace(heap, (done + seconds_per_point[k], k))
        else:
            heapq.heappop(heap)
    yield from ((link, number) for link, number in zip(links, given, strict=True) if number)


def slow_points(
    links: Sequence[Link], wanted: Collection[int], since: float, moved: Mapping[int, float]
) -> list[tuple[int, Link]]:
    """The `wanted` points that have run since before `since`, the longest first, each with another link that has an
    idle worker. The points that wait at a stuck evaluator come last, if it does not return them although it was asked
    (`moved`: when).
    """
    idle = [
        link
        for link in links
        if link.room > 0 and not link.queued and not _is_stuck(link, since)
        for _ in range(_idle(link))
    ]
    if not idle:
        return []
    now = time.monotonic()
    slow = []
    for link in links:
        for point, begun in link.running.items():  # in the order in which they began
            if begun > since:
                break
            if point in wanted:
                slow.append((begun, point, link))
        if _is_stuck(link, since):
            kept = (point for point in link.queued if moved.get(point, now) < now - LEAST)
            slow += [(now, point, link) for point in kept if point in wanted]
    found = []
    for _, point, owner in sorted(slow, key=lambda entry: entry[:2]):
        other = next((link for link in idle if link is not owner), None)
        if other is not None:
            idle.remove(other)
            found.append((point, other))
    return found


def _idle(link: Link) -> int:
    return min(link.concurrency - len(link.running), link.room)
