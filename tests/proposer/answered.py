"""Answered points as a strategy is told of them, and comparisons of batches."""

from collections.abc import Sequence

import numpy as np

from proposer.types import Batch, Status, Told


def same(a: Sequence[Batch | None], b: Sequence[Batch | None]) -> bool:
    """Whether the batches are the same to the bit; None stands for the end of a search."""
    return len(a) == len(b) and all(
        one is other
        if one is None or other is None
        else np.array_equal(one.u, other.u)
        and list(one.origins) == list(other.origins)
        and one.iteration == other.iteration
        for one, other in zip(a, b, strict=True)
    )


def told_of(u, nll, observables=None, *, status=Status.OK, origins: Sequence[str] = ()) -> Told:
    """The points of one batch. `u` has shape (n, d), `nll` (n,). `status`: one for all points, or one for each; points
    that are not OK get no NLL.
    """
    n = len(u)
    status = np.full(n, status, dtype=np.int8)
    observables = np.empty((n, 0)) if observables is None else observables
    nll = np.where(status == Status.OK, nll, np.nan)
    return Told(
        np.arange(1, n + 1),
        u,
        status=status,
        nll=nll,
        observables=observables,
        origins=origins or ["start"] * n,
        batches=np.ones(n, dtype=np.int64),
    )
