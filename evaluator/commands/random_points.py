"""Tries random points, because some codes do not work, or work differently, in the middle of the ranges."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluator.chain import Chain, Outcome, Status
from evaluator.commands.by_hand import ByHand
from evaluator.commands.ranges import draw

TRIES = 6
"""The usual number of random points."""

MOST_TRIES = 100
"""The largest number of random points, if all are unphysical."""

BUDGET = 20.0
"""Seconds after which no further point is started. A code of a running point may take the same time again."""


class Tried(NamedTuple):
    """A point in the file's order and units, and its outcome."""

    values: Sequence[float]
    outcome: Outcome


def try_points(by_hand: ByHand, first: Tried, scratch: Path) -> list[Tried]:
    """The first point, and random points (the same in every run) as BUDGET allows: TRIES of them, and more while all
    are INVALID.

    Some codes do not work near the middle of the ranges, and some need another code's results only at some points.
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
    """The first OK point; None if there is none."""
    return next((trial for trial in tried if trial.outcome.status is Status.OK), None)


def open_windows(by_hand: ByHand, tried: Sequence[Tried], scratch: Path) -> list[Tried]:
    """The INVALID points, run again without windows and conditions, up to the first OK point.

    So later codes run, too. If a code fails at an unphysical point, this says nothing about the code. But if an
    observable is missing at all points, this is an error.
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
    """Limits the deadline of each code to BUDGET."""
    for step in chain.steps:
        step.code.deadline = step.code.deadline.at_most(BUDGET)
