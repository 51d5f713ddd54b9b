"""Advice on the order of the codes: a cheap one that can end a point should run before an expensive one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from evaluator.errors import ConfigurationError
from evaluator.point import Chain, Outcome, Status
from scanspec import CodeSpec, ScanFile

CHEAP = 0.2
"""A code is cheap beside another when it takes less than this share of its time."""

WORTH = 0.01
"""Seconds below which a code is not worth being spared."""


def can_end(code: CodeSpec) -> bool:
    """Whether the file lets this code end a point: by a window on one of its observables, or by a condition."""
    return bool(code.conditions) or any(spec.valid is not None for spec in code.observables)


def better_order(chain: Chain, values: Sequence[float], outcome: Outcome, scratch: Path) -> list[str]:
    """Advice, a line each, none when the order is good; `outcome` is the chain's own at `values`.

    What a function reads cannot be seen from outside, so each better order is tried: it
    runs at the same point and must give the same observables. Its times count, since what
    was slow the first time may only have been loading.
    """
    if outcome.status is not Status.OK or len(chain.steps) < 2:
        return []
    found = _by_name(chain, outcome)
    seconds = dict(zip((step.name for step in chain.steps), outcome.seconds, strict=True))
    order, lines, number = list(chain.scan.codes), [], count()
    for code in chain.scan.codes:
        for before in order[: order.index(code)] if can_end(code) else ():
            if not _is_worth_it(seconds[code.name], seconds[before.name]):
                continue
            trial = [each for each in order if each is not code]
            trial.insert(trial.index(before), code)
            times = _try(chain.scan, trial, values, found, scratch / f"order-{next(number)}")
            if times is None or not _is_worth_it(times[code.name], times[before.name]):
                continue
            order = trial
            lines.append(
                f"advice: {code.name} can end a point, takes {times[code.name]:.3g} s, and gave the same before "
                f"{before.name}, which takes {times[before.name]:.3g} s; if it needs nothing from it at other points, "
                f"let it run first: {', '.join(each.name for each in order)}"
            )
            break
    return lines


def _is_worth_it(cheap: float, dear: float) -> bool:
    return dear > WORTH and cheap < CHEAP * dear


def _by_name(chain: Chain, outcome: Outcome) -> dict[str, float]:
    return dict(zip((spec.name for spec in chain.specs), outcome.observables, strict=True))


def _try(
    scan: ScanFile, order: list[CodeSpec], values: Sequence[float], wanted: dict[str, float], folder: Path
) -> dict[str, float] | None:
    """Seconds of each code in this order; None when it does not give the observables that are wanted."""
    try:
        chain = Chain(replace(scan, codes=tuple(order)))
        chain.load()
        outcome = chain.evaluate(values, folder)
    except ConfigurationError:  # an expression or a template asks for what comes later
        return None
    if outcome.status is not Status.OK:
        return None
    for name, value in _by_name(chain, outcome).items():
        if not (math.isclose(value, wanted[name], rel_tol=1e-9) or (math.isnan(value) and math.isnan(wanted[name]))):
            return None
    return dict(zip((step.name for step in chain.steps), outcome.seconds, strict=True))
