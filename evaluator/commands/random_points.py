"""Random points beside the middle of the ranges, where many a code does not work, or works otherwise."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluator.chain import Chain, Outcome, Status
from evaluator.commands.one_point import ByHand
from evaluator.commands.ranges import draw

TRIES = 6
"""How many random points are tried."""

MOST_TRIES = 100
"""How many are tried at most, as long as all of them are unphysical."""

BUDGET = 20.0
"""Seconds after which no further point is begun; a code in one that is under way may take as long again."""


class Tried(NamedTuple):
    """A point in the file's order and units, and what came of it."""

    values: Sequence[float]
    outcome: Outcome


def try_points(by_hand: ByHand, first: Tried, scratch: Path) -> list[Tried]:
    """The first point and random ones, the same each time, as BUDGET allows: TRIES, and more while all are INVALID.

    Many a code works nowhere near the middle of the ranges, and one that needs another's results at some points may
    make do without them at others.
    """
    rng, start, tried = np.random.default_rng(1), time.monotonic(), [first]
    for number in range(MOST_TRIES):
        left = BUDGET - (time.monotonic() - start) - max(sum(trial.outcome.seconds) for trial in tried)
        seen = number >= TRIES and any(trial.outcome.status is not Status.INVALID for trial in tried)
        if seen or left <= 0:
            break
        values = [draw(variable, rng) for variable in by_hand.chain.scan.variables]
        bound(by_hand.chain)
        tried.append(Tried(values, by_hand.evaluate(values, scratch / f"random-{number}")))
    return tried


def first_ok(tried: Sequence[Tried]) -> Tried | None:
    """The first point that is OK."""
    return next((trial for trial in tried if trial.outcome.status is Status.OK), None)


def open_windows(by_hand: ByHand, tried: Sequence[Tried], scratch: Path) -> list[Tried]:
    """What comes of the INVALID points when no window and no condition ends them, up to the first that is OK.

    So codes that no point has come to are started too. That one of them fails where the physics is wrong
    means nothing; that an observable is given nowhere does.
    """
    start, opened = time.monotonic(), list[Tried]()
    for number, trial in enumerate(tried):
        if time.monotonic() - start > BUDGET or first_ok(opened) is not None:
            break
        if trial.outcome.status is Status.INVALID:
            bound(by_hand.chain)
            outcome = by_hand.evaluate(trial.values, scratch / f"open-{number}", windows=False)
            opened.append(Tried(trial.values, outcome))
    return opened


def bound(chain: Chain) -> None:
    """No code of a trial may take as long as in a scan."""
    for step in chain.steps:
        step.code.deadline = step.code.deadline.at_most(BUDGET)
