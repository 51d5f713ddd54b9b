"""The evaluators of a run, and the work of each."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proposer.formats import show_number
from proposer.run.rows import Results
from proposer.types import Outcome, Status

MOST_SHOWN = 20
"""The most evaluators that are listed one by one."""

OWN = re.compile(r"unix:.*/lodescan-[0-9a-f]{16}/wire")
"""The socket that `lodescan run` makes for its evaluator, which has another name in each command."""

THIS_MACHINE = "this machine"


@dataclass
class EvaluatorWork:
    """The work of one evaluator: answered points, failed points, seconds in codes. `first` and `last` are the times at
    which its first point was sent and its last one returned, in seconds since 1970. `workers`: points at once, 0 if
    unknown. `worker_seconds`: the time for which it was connected, times its workers; 0 in runs of older versions.
    """

    address: str
    workers: int
    points: int = 0
    failed: int = 0
    seconds: float = 0.0
    first: float = math.inf
    last: float = -math.inf
    worker_seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        """Adds a point that the evaluator has answered."""
        self.points += 1
        self.failed += outcome.status in (Status.FAILED, Status.TIMED_OUT)
        self.seconds += sum(outcome.seconds)
        self.first, self.last = min(self.first, outcome.sent), max(self.last, outcome.returned)

    def to_json(self) -> dict[str, Any]:
        """The work as a JSON object."""
        values = {name: getattr(self, name) for name in ("address", "workers", "points", "failed", "seconds")}
        return values | {"idle": self.idle}

    @property
    def idle(self) -> float | None:
        """The fraction of its worker-seconds, while it was connected, in which no code ran; None if unknown.

        In runs of older versions it counts from the first point to the last one.
        """
        available = self.worker_seconds or self.workers * max(self.last - self.first, 0.0)
        return max(0.0, 1.0 - self.seconds / available) if available else None


def evaluators_of(
    results: Iterable[Results], workers: Mapping[str, int], worker_seconds: Mapping[str, float]
) -> list[EvaluatorWork]:
    """The evaluators that answered points, those with most points first. `workers`: points at once, by address;
    `worker_seconds`: the time for which each was connected, times its workers, by address.

    The evaluators that `lodescan run` has started, in one command after the other, count as one.
    """
    most, there, evaluators = Counter[str](), defaultdict[str, float](float), dict[str, EvaluatorWork]()
    for address, number in workers.items():
        most[_name(address)] = max(most[_name(address)], number)
    for address, seconds in worker_seconds.items():
        there[_name(address)] += seconds
    for part in results:
        shown = {address: _name(address) for address in {*part.evaluator}}
        names = np.array([shown[address] for address in part.evaluator], dtype=object)
        for name in sorted({*shown.values()} - {""}):
            here = names == name
            work = evaluators.setdefault(name, EvaluatorWork(name, most[name], worker_seconds=there[name]))
            work.points += int(here.sum())
            work.failed += int(np.isin(part.status[here], [Status.FAILED, Status.TIMED_OUT]).sum())
            work.seconds += sum(float(part.seconds[row].sum()) for row in np.flatnonzero(here).tolist())
            work.first = min(work.first, float(np.nanmin(part.times[here, 1], initial=math.inf)))
            work.last = max(work.last, float(np.nanmax(part.times[here, 3], initial=-math.inf)))
    return by_points(evaluators.values())


def _name(address: str) -> str:
    return THIS_MACHINE if OWN.fullmatch(address) else address


def by_points(evaluators: Iterable[EvaluatorWork]) -> list[EvaluatorWork]:
    """Sorts evaluators, those with most points first."""
    return sorted(evaluators, key=lambda evaluator: -evaluator.points)


def show_evaluator(evaluator: Mapping[str, Any]) -> str:
    """One evaluator in words, from the value of `EvaluatorWork.to_json`."""
    seconds = show_number(evaluator["seconds"] / max(evaluator["points"], 1), 3)
    idle = "" if evaluator["idle"] is None else f", {100 * evaluator['idle']:.0f} % idle"
    numbers = f"{evaluator['points']:,} points, {seconds} s a point, {evaluator['failed']:,} failed{idle}"
    return f"{evaluator['address']}: {numbers}"


def show_evaluators(evaluators: Sequence[EvaluatorWork], raced: int) -> Iterator[str]:
    """A line for each evaluator, if there were several, and one for the points that two worked on."""
    if len(evaluators) > 1:
        for evaluator in evaluators[:MOST_SHOWN]:
            yield f"evaluator {show_evaluator(evaluator.to_json())}"
    if len(evaluators) > MOST_SHOWN:
        yield f"and {len(evaluators) - MOST_SHOWN:,} more evaluators"
    if raced:
        yield f"{raced:,} slow point{'s were' if raced > 1 else ' was'} worked on by two evaluators"
