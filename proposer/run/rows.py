"""Rows of the dataset as Python values."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats, Pending


class Added(NamedTuple):
    """The result of `add_batch`: the number of the batch, the ids of the points that were kept, and a mask of these in
    the batch.

    `pending` are the points without an answer.
    """

    batch: int
    ids: NDArray[np.int64]
    kept: NDArray[np.bool_]
    pending: Pending


class Results(NamedTuple):
    """n points by id. All shapes are (n,), except u and params (n, d), observables and losses (n, m), times (n, 4).

    `seconds`: wall times of the codes that ran. `failed_code` and `message` are empty for OK points. `missing`:
    positions of the observables that were not found. `times`: asked, sent, begun, returned, in seconds since 1970, NaN
    if unknown; `begun` is by the evaluator's clock. `probability`: the strategy's predicted probability of being good,
    NaN if it predicted none.
    """

    ids: NDArray[np.int64]
    batches: NDArray[np.int64]
    iterations: NDArray[np.int64]
    origins: list[str]
    u: Floats
    params: Floats
    attempts: NDArray[np.int64]
    status: NDArray[np.int8]
    nll: Floats
    observables: Floats
    losses: Floats
    seconds: list[Floats]
    failed_code: list[str]
    message: list[str]
    warnings: list[list[str]]
    missing: list[list[int]]
    evaluator: list[str]
    times: Floats
    probability: Floats

    def where(self, wanted: NDArray[np.bool_] | slice) -> Self:
        """The points that a mask of shape (n,), or a slice, selects."""
        every = np.arange(len(self.ids))[wanted].tolist()
        columns: list[Any] = [[x[k] for k in every] if isinstance(x, list) else x[wanted] for x in self]
        return type(self)(*columns)
