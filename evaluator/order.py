"""Advice on the order of the codes: a cheap one that can end a point should run before an expensive one."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluator.errors import ConfigurationError
from evaluator.point import Chain, Outcome, Status
from evaluator.ranges import draw
from scanspec import CodeSpec, ScanFile

CHEAP = 0.2
"""A code is cheap beside another when it takes less than this share of its time."""

WORTH = 0.01
"""Seconds below which a code is not worth being spared."""

TRIES = 6
"""How many random points are tried."""

BUDGET = 20.0
"""Seconds after which no further point is begun; a code in one that is under way may take as long again."""


class Tried(NamedTuple):
    """A point in the file's order and units, and what came of it."""

    values: Sequence[float]
    outcome: Outcome


def can_end(code: CodeSpec) -> bool:
    """Whether the file lets this code end a point: by a window on one of its observables, or by a condition."""
    return bool(code.conditions) or any(spec.valid is not None for spec in code.observables)


def may_have_better_order(scan: ScanFile) -> bool:
    """Whether a code that can end a point stands after another one."""
    return any(can_end(code) for code in scan.codes[1:])


def try_points(chain: Chain, first: Tried, scratch: Path) -> list[Tried]:
    """The first point and random ones, the same each time, as many as BUDGET allows; only those OK or INVALID.

    Many a code works nowhere near the middle of the ranges, and one that needs another's results at some points may
    make do without them at others.
    """
    rng, start, tried = np.random.default_rng(1), time.monotonic(), [first]
    for number in range(TRIES):
        left = BUDGET - (time.monotonic() - start) - max(sum(each.outcome.seconds) for each in tried)
        if left <= 0:
            break
        values = [draw(each, rng) for each in chain.scan.variables]
        _bound(chain)
        tried.append(Tried(values, chain.evaluate(values, scratch / f"random-{number}")))
    return [each for each in tried if each.outcome.status in (Status.OK, Status.INVALID)]


def better_order(chain: Chain, tried: Sequence[Tried], scratch: Path) -> list[str]:
    """Advice, a line each, none when the order is good or no point is OK; `tried` is what came of the file's order.

    What a function reads cannot be seen from outside, so each better order is run at the same points: it must
    give the same observables where the point is OK, and end it too where it is INVALID. Its times at the first OK
    point count, since what was slow the first time may only have been loading.
    """
    good = [each for each in tried if each.outcome.status is Status.OK]
    if not good or len(chain.steps) < 2:
        return []
    points = [*good, *(each for each in tried if each.outcome.status is Status.INVALID)]
    names = [spec.name for spec in chain.specs]
    seconds = dict(zip((step.name for step in chain.steps), good[0].outcome.seconds, strict=True))
    order, lines, number = list(chain.scan.codes), [], count()
    for code in chain.scan.codes:
        for before in order[: order.index(code)] if can_end(code) else ():
            if not _is_worth_it(seconds[code.name], seconds[before.name]):
                continue
            trial = [each for each in order if each is not code]
            trial.insert(trial.index(before), code)
            found = _try(chain.scan, trial, names, points, scratch / f"order-{next(number)}")
            if found is None or not _is_worth_it(found[0][code.name], found[0][before.name]):
                continue
            order, (times, same) = trial, found
            where = "1 point" if same == 1 else f"{same} points"
            lines.append(
                f"advice: {code.name} can end a point, takes {times[code.name]:.3g} s, and gave the same before "
                f"{before.name}, which takes {times[before.name]:.3g} s, at {where}; if it "
                f"needs nothing from it at others, let it run first: {', '.join(each.name for each in order)}"
            )
            break
    return lines


def _is_worth_it(cheap: float, dear: float) -> bool:
    return dear > WORTH and cheap < CHEAP * dear


def _bound(chain: Chain) -> None:
    """No code of a trial may take as long as in a scan."""
    for step in chain.steps:
        step.code.timeout = min(step.code.timeout, BUDGET)
        step.code.first_timeout = min(step.code.first_timeout, BUDGET)


def _try(
    scan: ScanFile, order: list[CodeSpec], names: list[str], points: Sequence[Tried], folder: Path
) -> tuple[dict[str, float], int] | None:
    """Seconds of each code in this order at the first point, and at how many points it gave the same; None when it
    gave something else at one of them.
    """
    start, seconds, same = time.monotonic(), dict[str, float](), 0
    try:
        chain = Chain(replace(scan, codes=tuple(order)))
        chain.load()
        positions = {spec.name: position for position, spec in enumerate(chain.specs)}
        for values, wanted in points:
            if same and time.monotonic() - start > BUDGET:
                break
            outcome = chain.evaluate(values, folder / str(same))
            if outcome.status is not wanted.status:
                return None
            if outcome.status is Status.OK:
                found = [outcome.observables[positions[name]] for name in names]
                if not all(map(_same, found, wanted.observables)):
                    return None
            seconds = seconds or dict(zip((step.name for step in chain.steps), outcome.seconds, strict=True))
            same += 1
            _bound(chain)  # the first point had its time in the other order too
    except ConfigurationError:  # an expression or a template asks for what comes later
        return None
    return seconds, same


def _same(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-9) or (math.isnan(left) and math.isnan(right))
