"""Compares the predictions of models with the results, to choose the model for each output."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats

Mistake = Callable[[Floats, Floats], Floats]

MODELS = 2
"""The number of models for each output: the process and the networks."""
FORGET = 0.5
"""The weight of earlier batches relative to the newest."""
MOST = 2000
"""The largest number of stored predictions, because some points never get a result."""
LEAST = 5
"""The smallest number of points in a batch that counts."""


class Record:
    """Predictions for points without a result, and the mean square errors of each model and output, shape (2, k), for
    the newest points with a result (NaN before the first).
    """

    def __init__(self, dim: int, outputs: int) -> None:
        self._u: Floats = np.empty((0, dim))
        self._predicted: Floats = np.empty((0, MODELS, outputs))
        self.errors: Floats = np.full((MODELS, outputs), np.nan)

    def expect(self, u: Floats, predicted: Floats) -> None:
        """Stores predictions, shape (n, 2, k), for points u, shape (n, d); NaN for a model without a prediction."""
        self._u = np.concatenate([self._u, u])[-MOST:]
        self._predicted = np.concatenate([self._predicted, predicted])[-MOST:]

    def compare(self, u: Floats, values: Floats, error: Mistake) -> None:
        """Compares the results `values`, shape (n, k), at points u, shape (n, d), with their predictions. `error` maps
        predictions and values, shape (n, k) each, to errors.
        """
        position = {row.tobytes(): number for number, row in enumerate(u)}
        found = np.array([position.get(row.tobytes(), -1) for row in self._u], dtype=np.int64)
        came = found >= 0
        usable = came & np.isfinite(values[found]).all(axis=1)
        if usable.sum() >= LEAST:
            for model in range(MODELS):
                new = error(self._predicted[usable, model], values[found[usable]])
                some = np.isfinite(new).sum(axis=0)
                square = np.where(some > 0, np.nansum(np.square(new), axis=0) / np.maximum(some, 1), self.errors[model])
                before = np.where(np.isfinite(self.errors[model]), self.errors[model], square)
                self.errors[model] = FORGET * before + (1.0 - FORGET) * square
        if usable.sum() >= LEAST or came.sum() == len(came):
            self._u, self._predicted = self._u[~came], self._predicted[~came]

    def forget(self, model: int, outputs: NDArray[np.bool_]) -> None:
        """Forgets predictions and errors of a model that is new for some outputs, shape (k,)."""
        self._predicted[:, model, outputs] = np.nan
        self.errors[model, outputs] = np.nan

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """The arrays for `from_arrays`."""
        return {"u": self._u, "predicted": self._predicted, "errors": self.errors}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> Record:
        """Restores the state from the arrays of `to_arrays`. Raises KeyError and ValueError."""
        made = cls(arrays["u"].shape[1], arrays["errors"].shape[1])
        made._u, made._predicted, made.errors = arrays["u"], arrays["predicted"], arrays["errors"].copy()
        return made
