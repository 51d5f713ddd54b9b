"""Computes the NLLs of points again from their observables, because an evaluator may be wrong about them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

import numpy as np

from proposer.show.voice import warn
from proposer.types import Observable, Outcome
from scanspec.likelihoods import losses_and_nll
from scanspec.terms import work_out

ROUNDING = 1e-6
"""The largest difference between two NLLs of the same observables, relative to the sum of the losses' magnitudes, or
absolute where that sum is below 1. Evaluators may be written in other languages.
"""


class Recount:
    """A watcher that warns once for each evaluator whose NLL differs from the NLL of the observables that it returned.
    The points count all the same: nothing is refused for which the user may have a reason.
    """

    def __init__(self, observables: Sequence[Observable]) -> None:
        self._names = [observable.name for observable in observables]
        self._terms = [observable.term for observable in observables]
        self._likelihoods = [observable.likelihood for observable in observables]
        self._warned = set[str]()

    def asked(self, batch: int, iteration: int, points: int) -> None:
        """Needs nothing of a new batch."""

    def answered(self, outcomes: Sequence[Outcome], batches: Sequence[int]) -> None:
        for evaluator, results in groupby(outcomes, attrgetter("evaluator")):
            known = [outcome for outcome in results if outcome.nll is not None and len(outcome.observables)]
            if known and evaluator not in self._warned:
                self._compare(evaluator, known)

    def thought(self, seconds: float, training: float) -> None:
        """Needs nothing of the strategy."""

    def _compare(self, evaluator: str, outcomes: Sequence[Outcome]) -> None:
        observables = np.array([outcome.observables for outcome in outcomes], dtype=float)
        losses, computed = losses_and_nll(self._likelihoods, work_out(self._names, self._terms, observables))
        given = np.array([outcome.nll for outcome in outcomes])
        differs = np.abs(computed - given) > ROUNDING * np.maximum(1.0, np.abs(losses).sum(axis=1))
        for k in np.flatnonzero(differs)[:1].tolist():
            self._warned.add(evaluator)
            warn(
                f"WARNING: the evaluator at {evaluator} returns NLLs that do not belong to its observables: that of "
                f"point {outcomes[k].id} is {given[k]:.9g}, but the likelihoods give {computed[k]:.9g} for its "
                "observables. Points are good or not by the NLL that it returns; `lodescan-conformance` tells what is "
                "wrong with it"
            )
