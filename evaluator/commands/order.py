"""Advice on the order of the codes: a cheap one that can end a point should run before an expensive one."""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from evaluator.chain import Chain, Status
from evaluator.commands.one_point import ByHand
from evaluator.commands.random_points import BUDGET, Tried, bound
from evaluator.errors import ConfigurationError
from scanspec import CodeSpec, ScanFile

CHEAP = 0.2
"""A code is cheap beside another when it takes less than this share of its time."""

WORTH = 0.01
"""Seconds below which a code is not worth being spared."""


def can_end(code: CodeSpec) -> bool:
    """Whether the file lets this code end a point: by a window on one of its observables, or by a condition."""
    return bool(code.conditions) or any(spec.valid is not None for spec in code.observables)


def may_have_better_order(scan: ScanFile) -> bool:
    """Whether a code that can end a point stands after another one."""
    return any(can_end(code) for code in scan.codes[1:])


def better_order(chain: Chain, tried: Sequence[Tried], scratch: Path) -> list[str]:
    """Advice, a line each, none when the order is good or no point is OK; `tried` is what came of the file's order.

    What a function reads cannot be seen from outside, so each better order is run at the same points: it must
    give the same observables where the point is OK, and end it too where it is INVALID. Its times at the first OK
    point count, since what was slow the first time may only have been loading.
    """
    good = [one for one in tried if one.outcome.status is Status.OK]
    if not good or len(chain.steps) < 2:
        return []
    points = [*good, *(one for one in tried if one.outcome.status is Status.INVALID)]
    names = [spec.name for spec in chain.specs]
    seconds = dict(zip((step.name for step in chain.steps), good[0].outcome.seconds, strict=True))
    order, lines, number = list(chain.scan.codes), [], count()
    for code in chain.scan.codes:
        for before in order[: order.index(code)] if can_end(code) else ():
            if not _is_worth_it(seconds[code.name], seconds[before.name]):
                continue
            trial = [other for other in order if other is not code]
            trial.insert(trial.index(before), code)
            found = _try(chain.scan, trial, names, points, scratch / f"order-{next(number)}")
            if found is None or not _is_worth_it(found[0][code.name], found[0][before.name]):
                continue
            order, (times, same) = trial, found
            where = "1 point" if same == 1 else f"{same} points"
            lines.append(
                f"advice: {code.name} can end a point, takes {times[code.name]:.3g} s, and gave the same before "
                f"{before.name}, which takes {times[before.name]:.3g} s, at {where}; if it "
                f"needs nothing from it at others, let it run first: {', '.join(other.name for other in order)}"
            )
            break
    return lines


def _is_worth_it(cheap: float, dear: float) -> bool:
    return dear > WORTH and cheap < CHEAP * dear


def _try(
    scan: ScanFile, order: list[CodeSpec], names: list[str], points: Sequence[Tried], folder: Path
) -> tuple[dict[str, float], int] | None:
    """Seconds of each code in this order at the first point, and at how many points it gave the same; None when it
    gave something else at one of them.
    """
    start, seconds, same = time.monotonic(), dict[str, float](), 0
    try:
        chain = Chain(replace(scan, codes=tuple(order)))
        by_hand = ByHand(chain)
        positions = {spec.name: position for position, spec in enumerate(chain.specs)}
        for values, wanted in points:
            if same and time.monotonic() - start > BUDGET:
                break
            with contextlib.redirect_stderr(io.StringIO()):  # a code that cannot run here says so
                outcome = by_hand.evaluate(values, folder / str(same))
            if outcome.status is not wanted.status:
                return None
            if outcome.status is Status.OK:
                found = [outcome.observables[positions[name]] for name in names]
                if not all(map(_same, found, wanted.observables)):
                    return None
            seconds = seconds or dict(zip((step.name for step in chain.steps), outcome.seconds, strict=True))
            same += 1
            bound(chain)  # the first point had its time in the other order too
    except ConfigurationError:  # an expression or a template asks for what comes later
        return None
    return seconds, same


def _same(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-9) or (math.isnan(left) and math.isnan(right))
