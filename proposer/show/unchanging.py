"""Warns of a scan whose NLL is the same at all points, so that no variable seems to have an effect."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from proposer.formats import show_number
from proposer.show.voice import warn
from proposer.types import Floats, Outcome

ENOUGH = 50
"""The number of points with an NLL that are looked at."""

MOST_NAMES = 5
"""The largest number of observables, or of variables, that the warning names."""


class Unchanging:
    """A watcher that warns once if the first points with an NLL all have the same. `variables` and `observables` are
    their names.
    """

    def __init__(self, variables: Sequence[str], observables: Sequence[str]) -> None:
        self._variables, self._observables = variables, observables
        self._nll = 0.0
        self._points = 0
        self._lowest = self._highest = np.empty(0)
        self._over = False

    def asked(self, batch: int, iteration: int, points: int) -> None:
        """Needs nothing of a new batch."""

    def answered(self, outcomes: Sequence[Outcome], batches: Sequence[int]) -> None:
        for outcome in outcomes:
            if not self._over and outcome.nll is not None:
                self._add(outcome.nll, np.asarray(outcome.observables, dtype=np.float64))

    def thought(self, seconds: float, training: float) -> None:
        """Needs nothing of the strategy."""

    def _add(self, nll: float, values: Floats) -> None:
        if not self._points:
            self._nll, self._lowest, self._highest = nll, values, values
        self._points += 1
        self._lowest, self._highest = np.fmin(self._lowest, values), np.fmax(self._highest, values)
        self._over = nll != self._nll or self._points == ENOUGH
        if nll == self._nll and self._over:
            warn(self._words())

    def _words(self) -> str:
        same = f"WARNING: the NLL is {show_number(self._nll)} at all of the first {self._points} points that have one"
        ranges = zip(self._observables, self._lowest.tolist(), self._highest.tolist(), strict=False)
        changes = [f"{name} (from {low:g} to {high:g})" for name, low, high in ranges if low < high]
        if changes:
            return (
                f"{same}, although observables change: {_listed(changes)}. Check the mean and sigma of each "
                "observable: are they in its units?"
            )
        return (
            f"{same}, because no observable changes with {_listed(self._variables)}. Check that the template or the "
            "function uses the variables; otherwise there is nothing to search for"
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join([*names[:MOST_NAMES], f"{more} more"] if more > 1 else names)
