"""Chooses between models of the observables and a model of the NLL: the one that predicted best which of the newest
points would be good.

Gaussian processes of observables fail at some resonances, jumps, and differences of large terms where networks do not.
So if many points turn out not to be good although the model predicted it, a model of the NLL learns too, and each model
gives a probability of being good for each requested point. When the results have come, the model with the best
logarithmic score chooses the next batch (I. Good, J. R. Stat. Soc. B 14, 107 (1952)). This score also counts against a
model that predicts few good points, because it gave the good ones a low probability.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from proposer.strategies.lode.surrogate import grouped
from proposer.types import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from proposer.strategies.lode.points import Known
    from proposer.strategies.lode.surrogate import Surrogate

BY_MODEL = ("exploit", "solve")
POOR, FINE, LAST, LEAST = 0.7, 0.95, 100, 10
"""Predictions are poor if less than the fraction POOR of the LAST points that a model took for good (at least LEAST)
are good. The contest ends if the fraction is FINE and a model of the observables is ahead.
"""
MODELS = 3
"""The model of the observables, the same without networks, and the model of the NLL."""
JUDGED, SURE = 200, 0.02
"""The number of last points that are compared. Probabilities count as at least SURE and at most 1 - SURE, because some
come from few draws.
"""
AHEAD = 3.0
"""Another model takes over if its score is better by AHEAD, so that chance does not change the model."""
MOST = 2000
"""The largest number of stored predictions, because some points never get a result."""


def poor(known: Known) -> bool:
    """Whether many points that the model took for good are not good."""
    hits = _newest(known)
    return len(hits) >= LEAST and bool(hits.mean() < POOR)


def _newest(known: Known) -> NDArray[np.bool_]:
    """Which of the last points that a model took for good are good."""
    return known.good[np.isin(known.origins, BY_MODEL)][-LAST:]


def scores(predicted: Floats, good: NDArray[np.bool_]) -> Floats:
    """The logarithmic scores, shape (m,), of the probabilities `predicted`, shape (n, m), for the results `good`, shape
    (n,). They are at most 0.
    """
    sure = predicted.clip(SURE, 1.0 - SURE)
    return np.asarray(np.log(np.where(good[:, None], sure, 1.0 - sure)).sum(axis=0))


class Contest:
    """The contest of the models. `make` makes the model of the NLL at its first use."""

    def __init__(self, make: Callable[[], Surrogate]) -> None:
        self._make = make
        self._by_nll: Surrogate | None = None
        self._clear()

    def _clear(self) -> None:
        self._on, self._lead = False, 0
        self._u: Floats = np.empty((0, 0))
        self._predicted: Floats = np.empty((0, MODELS))

    def winner(self, known: Known, by_observables: Surrogate, rng: np.random.Generator) -> Surrogate:
        """The best model, or `by_observables`, which is already fitted, if this predicts well. Fits the model of the
        NLL as long as the contest runs.
        """
        goes_on = self._on and (self._lead == MODELS - 1 or bool(_newest(known).mean() < FINE))
        if not by_observables.fitted or not (goes_on or poor(known)):
            self._clear()
            return by_observables
        self._by_nll = self._by_nll or self._make()
        self._by_nll.fit(known, rng)
        self._on = self._by_nll.fitted
        found = self._scores(known)
        best = int(found.argmax())
        if found[best] > found[self._lead] + AHEAD:
            self._lead = best
        return self.ahead(by_observables)

    def _scores(self, known: Known) -> Floats:
        """The scores, shape (MODELS,), for the newest results."""
        position = {row.tobytes(): number for number, row in enumerate(known.u)}
        found = np.array([position.get(row.tobytes(), -1) for row in self._u], dtype=np.int64)
        came = np.flatnonzero((found >= 0) & known.answered[found])[-JUDGED:]
        return scores(self._predicted[came], known.good[found[came]])

    def end(self) -> None:
        """Ends the contest, because one of the models cannot be used."""
        self._by_nll = None
        self._clear()

    def _models(self, by_observables: Surrogate) -> list[Surrogate]:
        """The models that take part."""
        if not self._on or self._by_nll is None:
            return [by_observables]
        versions = by_observables.versions()
        return [versions[0], versions[-1], self._by_nll]

    def ahead(self, by_observables: Surrogate) -> Surrogate:
        """The model that won the last comparison."""
        return self._models(by_observables)[self._lead]

    def expect(self, u: Floats, by_observables: Surrogate, generator: Callable[[], np.random.Generator]) -> None:
        """Stores the predicted probabilities of points u, shape (n, d), that are now requested."""
        if not self._on or not len(u):
            return
        found = [model.probability(u, generator()) for model in self._models(by_observables)]
        self._u = np.concatenate([self._u.reshape(-1, u.shape[1]), u])[-MOST:]
        self._predicted = np.concatenate([self._predicted, np.stack(found, axis=1)])[-MOST:]

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `load`; empty if there was no contest."""
        if self._by_nll is None:
            return {}
        arrays = {
            "contest/state": np.array([float(self._on), float(self._lead)]),
            "contest/u": self._u,
            "contest/predicted": self._predicted,
        }
        return arrays | {f"contest/by_nll/{key}": value for key, value in self._by_nll.to_arrays().items()}

    def load(self, arrays: Mapping[str, NDArray[np.float64]] | None) -> None:
        """Restores the state from the arrays of `to_arrays`, without their prefix. Raises KeyError and ValueError."""
        if not arrays:
            return
        self._by_nll = self._make()
        self._by_nll.load(grouped(arrays)["by_nll"])
        if "predicted" in arrays:  # the contest of an older lodescan starts anew
            self._on, self._lead = bool(arrays["state"][0]), int(arrays["state"][1])
            self._u, self._predicted = arrays["u"], arrays["predicted"]
