"""Advice on the order of the codes: a fast code that can end a point should run before a slow code."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path

from evaluator.chain import Chain, Status
from evaluator.commands.by_hand import ByHand
from evaluator.commands.random_points import BUDGET, Tried, bound
from evaluator.errors import ConfigurationError
from scanspec import CodeSpec, ScanFile

CHEAP = 0.2
"""A code is fast compared to another if it takes less than this fraction of the other's time."""

WORTH = 0.01
"""Seconds. It is not worth while to avoid runs of a faster code."""


def can_end(code: CodeSpec) -> bool:
    """Whether this code can end a point, by a window of one of its observables or by a condition."""
    return bool(code.conditions) or any(spec.valid is not None for spec in code.observables)


def may_have_better_order(scan: ScanFile) -> bool:
    """Whether a code that can end a point comes after another code."""
    return any(can_end(code) for code in scan.codes[1:])


def better_order(chain: Chain, tried: Sequence[Tried], scratch: Path) -> list[str]:
    """Advice in lines; empty if the order is good or no point is OK. `tried` are points in the order of the file.

    The inputs of a function are unknown, so each better order is run at the same points. It must give the same
    observables at OK points, and also end the INVALID points. Its times at the first OK point decide, because the first
    run of a code may include its loading time.
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
                f"advice: {code.name} can end a point and takes {times[code.name]:.3g} s. It gave the same results "
                f"before {before.name}, which takes {times[before.name]:.3g} s, at {where}. If it never needs results "
                f"of {before.name}, let it run first: {', '.join(other.name for other in order)}"
            )
            break
    return lines


def _is_worth_it(cheap: float, dear: float) -> bool:
    return dear > WORTH and cheap < CHEAP * dear


def _try(
    scan: ScanFile, order: list[CodeSpec], names: list[str], points: Sequence[Tried], folder: Path
) -> tuple[dict[str, float], int] | None:
    """The seconds of each code in this order at the first point, and the number of points with the same results; None
    if a result differs.
    """
    start, seconds, same = time.monotonic(), dict[str, float](), 0
    try:
        chain = Chain(replace(scan, codes=tuple(order)))
        positions = {spec.name: position for position, spec in enumerate(chain.specs)}
        with closing(ByHand(chain, quiet=True)) as by_hand:  # hides errors of a code that cannot run in this order
            for values, wanted in points:
                if same and time.monotonic() - start > BUDGET:
                    break
                outcome = by_hand.evaluate(values, folder / str(same))
                if outcome.status is not wanted.status:
                    return None
                if outcome.status is Status.OK:
                    found = [outcome.observables[positions[name]] for name in names]
                    if not all(map(_same, found, wanted.observables)):
                        return None
                seconds = seconds or dict(zip((step.name for step in chain.steps), outcome.seconds, strict=True))
                same += 1
                bound(chain)  # as in the other order, the first point has no such bound
    except ConfigurationError:  # an expression or a template uses results of a later code
        return None
    return seconds, same


def _same(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-9) or (math.isnan(left) and math.isnan(right))
