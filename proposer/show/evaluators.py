"""Which evaluators a run had, and what each of them did."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from proposer.formats import show_number
from proposer.run.rows import Results
from proposer.types import Status

MOST_SHOWN = 20
"""Evaluators that are listed one by one."""


@dataclass
class _Work:
    points: int = 0
    failed: int = 0
    seconds: float = 0.0
    first: float = math.inf  # sent
    last: float = -math.inf  # returned


def show_evaluators(results: Iterable[Results], workers: Mapping[str, int], raced: int) -> Iterator[str]:
    """A line for each evaluator, those with most points first; none where there was only one.

    `workers`: how many points each works on at once. Idle is the share of its workers' time, from its first point to
    its last one, in which no code ran.
    """
    found: dict[str, _Work] = {}
    for part in results:
        names = np.array(part.evaluator, dtype=object)
        for name in set(part.evaluator) - {""}:
            here = names == name
            work = found.setdefault(name, _Work())
            work.points += int(here.sum())
            work.failed += int(np.isin(part.status[here], [Status.FAILED, Status.TIMED_OUT]).sum())
            work.seconds += sum(float(each.sum()) for each, its in zip(part.seconds, here.tolist(), strict=True) if its)
            work.first = min(work.first, float(np.nanmin(part.times[here, 1], initial=math.inf)))
            work.last = max(work.last, float(np.nanmax(part.times[here, 3], initial=-math.inf)))
    if len(found) < 2:
        return
    for name, work in sorted(found.items(), key=lambda each: -each[1].points)[:MOST_SHOWN]:
        each = show_number(work.seconds / work.points, 3)
        line = f"evaluator {name}: {work.points:,} points, {each} s a point, {work.failed:,} failed"
        if name in workers and work.last > work.first:
            busy = work.seconds / (workers[name] * (work.last - work.first))
            line += f", {100 * max(0.0, 1.0 - busy):.0f} % idle"
        yield line
    if len(found) > MOST_SHOWN:
        yield f"and {len(found) - MOST_SHOWN:,} evaluators more"
    if raced:
        yield f"{raced:,} slow points were worked on by two evaluators"
