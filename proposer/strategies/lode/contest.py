"""Chooses between a model of the observables and a model of the NLL: the one that predicted the newest points better.

Gaussian processes of observables fail at some resonances, jumps, and differences of large terms where networks of the
NLL do not. So if many points turn out not to be good although the model predicted it, both models learn, and both give
a probability of being good for each requested point. When the results have come, the better model is the one whose
probabilities have the lower mean square error (G. Brier, Mon. Weather Rev. 78, 1 (1950)). The model of the NLL must
also be better than a constant, the fraction of good points. Otherwise, while hardly any point is good, it would win by
the prediction that no point is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proposer.strategies.lode.record import Record
from proposer.strategies.lode.select import BY_MODEL
from proposer.strategies.lode.surrogate import grouped
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known
    from proposer.strategies.lode.surrogate import Surrogate

POOR, LAST, LEAST = 0.7, 100, 30
"""Predictions are poor if less than the fraction POOR of the LAST points that a model took for good (at least LEAST)
are good.
"""
CLEARLY = 0.5
"""The model of the NLL takes over if its error is below this fraction of the error of the other model. The points were
chosen by the other model, which is thus judged by its own mistakes, so the model of the NLL seems better than it is.
With 0.75, it took over on thresholds5d (seed 22): 99 of 167 evaluations had been good before, and 3 of 200 afterwards.
"""
AGAIN = 1.25
"""As long as the model of the NLL is not better, it learns again when there are this many times more points. So most
choices fit only one of the two models.
"""


def poor(known: Known) -> bool:
    """Whether many points that the model took for good are not good."""
    good = known.good[np.isin(known.origins, BY_MODEL)][-LAST:]
    return len(good) >= LEAST and bool(good.mean() < POOR)


class Contest:
    """The contest between a model of the observables and a model of the NLL. `make` makes the latter at its
    first use.
    """

    def __init__(self, make: Callable[[], Surrogate]) -> None:
        self._make = make
        self._by_nll: Surrogate | None = None
        self._record: Record | None = None  # of the probabilities, and of the prediction that no point is good
        self._on = self._won = False  # whether both learn, and whether the model of the NLL is better
        self._learned_from = 0  # the number of points from which the model of the NLL has learned

    def winner(self, known: Known, by_observables: Surrogate, rng: np.random.Generator) -> Surrogate:
        """The better model. Fits the model of the NLL if it is better, or if the contest runs and there are AGAIN
        times more points than at its last fit; `by_observables` is already fitted.
        """
        if self._record is not None:
            good = np.where(known.answered, known.good, np.nan)[:, None].repeat(2, axis=1)
            self._record.compare(known.u, good, lambda predicted, came: predicted - came)
        self._on = by_observables.fitted and (self._won or poor(known))
        if not self._on:
            self._won = False
            return by_observables
        errors, good = self._record.errors.T if self._record is not None else np.full((2, 2), np.nan)
        # the error of the fraction of good points as a prediction; if most are good, this is no test of a model
        of_constant = good[1] * max(1.0 - good[1], 0.5)
        self._won = bool(errors[1] < min((1.0 if self._won else CLEARLY) * errors[0], of_constant))
        self._by_nll = self._by_nll or self._make()
        if self._won or len(known.u) >= AGAIN * self._learned_from:
            self._by_nll.fit(known, rng)
            self._learned_from = len(known.u)
        self._on = self._by_nll.fitted
        self._won &= self._on
        return self.ahead(by_observables)

    def end(self) -> None:
        """Ends the contest, because one of the two models cannot be used."""
        self._by_nll, self._record = None, None
        self._on = self._won = False
        self._learned_from = 0

    def ahead(self, by_observables: Surrogate) -> Surrogate:
        """The model that won the last comparison."""
        return self._by_nll if self._won and self._by_nll is not None else by_observables

    def expect(self, u: Floats, by_observables: Surrogate, generator: Callable[[], np.random.Generator]) -> None:
        """Stores the predicted probabilities of points u, shape (n, d), that are now requested."""
        if not self._on or self._by_nll is None or not len(u):
            return
        both = np.stack([model.probability(u, generator()) for model in (by_observables, self._by_nll)], axis=1)
        self._record = self._record or Record(u.shape[1], 2)
        self._record.expect(u, np.stack([both, np.zeros_like(both)], axis=2))

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`; empty if there was no contest."""
        if self._by_nll is None:
            return {}
        arrays = {
            "contest/state": np.array([float(self._on), float(self._won)]),
            "contest/learned_from": np.array(float(self._learned_from)),
        }
        for name, part in (("by_nll", self._by_nll), ("record", self._record)):
            if part is not None:
                arrays |= {f"contest/{name}/{key}": value for key, value in part.to_arrays().items()}
        return arrays

    def load(self, arrays: Mapping[str, NDArray[np.float64]] | None) -> None:
        """Restores the state from the arrays of `to_arrays`, without their prefix. Raises KeyError and ValueError."""
        if not arrays:
            return
        parts = grouped(arrays)
        self._on, self._won = (bool(flag) for flag in arrays["state"])
        self._learned_from = int(arrays.get("learned_from", 0))
        self._by_nll = self._make()
        self._by_nll.load(parts["by_nll"])
        record = Record.from_arrays(parts["record"]) if "record" in parts else None
        self._record = record if record is not None and record.errors.shape[1] == 2 else None  # older ones have one
