"""The rows of the dataset as Python values."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats, Pending


class Added(NamedTuple):
    """What `add_batch` stored: the batch's number, the ids of the points kept, which ones those are (a mask).

    `pending` are those without an answer.
    """

    batch: int
    ids: NDArray[np.int64]
    kept: NDArray[np.bool_]
    pending: Pending


class Results(NamedTuple):
    """Points by id. Shapes: (n,), but u and params (n, d), observables and losses (n, m), times (n, 4).

    `seconds` of each code that ran; `failed_code` and `message` are empty for OK; `missing`: positions of the
    observables that were not found. `times`: asked, sent, begun, returned, in seconds since 1970, NaN where nobody
    knows; `begun` by the evaluator's clock. `probability`: of being good, as the strategy predicted; NaN: it did not.
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
        """Some of the points: a mask of shape (n,), or a slice."""
        every = np.arange(len(self.ids))[wanted].tolist()
        columns: list[Any] = [[x[k] for k in every] if isinstance(x, list) else x[wanted] for x in self]
        return type(self)(*columns)
