"""The types that all packages of the proposer share."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scanspec import Likelihood, LodescanError
from scanspec.terms import Term

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]


class Status(enum.IntEnum):
    """The status of an answered point; numbers as in the contract, names as in the dataset."""

    OK = 1
    INVALID = 2
    FAILED = 3
    TIMED_OUT = 4


OK = Status.OK
"""By name, for what happens at each point: to read an attribute of a class takes as long as a short call."""


class CheckpointError(LodescanError, ValueError):
    """A checkpoint of a strategy cannot be used."""

    next_step = "go on with the version of lodescan that wrote it, or start anew in another folder"


@dataclass(frozen=True)
class Batch:
    """Points that a strategy wants evaluated.

    `u`: shape (n, d), in the unit cube. `origins`: n words that say why each point was chosen (bootstrap, exploit,
    random, smote, init ...). `iteration`: of the strategy's loop, 0 before the loop starts. `probability`: the
    predicted probability that a point is good, shape (n,), NaN where the strategy predicts none; None for a strategy
    that never does.
    """

    u: Floats
    origins: Sequence[str]
    iteration: int
    probability: Floats | None = None

    def __post_init__(self) -> None:
        if self.u.ndim != 2 or len(self.u) != len(self.origins):
            raise ValueError(f"a batch of shape {self.u.shape} cannot have {len(self.origins)} origins")
        if self.probability is not None and self.probability.shape != (len(self.u),):
            raise ValueError(f"a batch of {len(self.u)} points cannot have probabilities of {self.probability.shape}")

    def __len__(self) -> int:
        return len(self.origins)

    def where(self, kept: NDArray[np.bool_]) -> Batch:
        """The points where `kept`, shape (n,), is true."""
        if kept.all():
            return self
        origins = [self.origins[k] for k in np.flatnonzero(kept).tolist()]
        return Batch(
            self.u[kept], origins, self.iteration, None if self.probability is None else self.probability[kept]
        )


@dataclass(frozen=True)
class Told:
    """n answered points in the order of their ids; n may be 0.

    `ids`: shape (n,). `u`: shape (n, d), as asked. `status`: shape (n,), values of
    `Status`. `nll`: shape (n,), NaN where the point has none. `observables`: shape (n, m)
    in the evaluator's order, NaN where missing. `origins`: n words. `batches`: shape (n,),
    the number of each point's batch, from 1. A batch may be told with fewer points than
    were asked: those evaluated before are left out.
    """

    ids: NDArray[np.int64]
    u: Floats
    status: NDArray[np.int8]
    nll: Floats
    observables: Floats
    origins: Sequence[str]
    batches: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


class Outcome(NamedTuple):
    """The result of one point.

    Only OK points have `nll` and `losses`. `observables` and `losses` are in the evaluator's order, NaN where missing,
    empty if there are none. `seconds` are the wall times of the codes that ran. `missing` are positions in
    `observables`. `spectra` are the spectrum files of the codes, which are kept beside the dataset. `evaluator` is the
    evaluator's address. `sent`, `begun` and `returned` are times in seconds since 1970, NaN if unknown; `begun` is by
    the evaluator's clock.
    """

    id: int
    status: Status
    nll: float | None = None
    observables: Sequence[float] = ()
    losses: Sequence[float] = ()
    seconds: Sequence[float] = ()
    failed_code: str = ""
    message: str = ""
    warnings: Sequence[str] = ()
    missing: Sequence[int] = ()
    spectra: Sequence[bytes] = ()
    evaluator: str = ""
    sent: float = math.nan
    begun: float = math.nan
    returned: float = math.nan


class Pending(NamedTuple):
    """n points without an answer: ids, values `params`, shape (n, d), and how often each was killed from outside."""

    ids: NDArray[np.int64]
    params: Floats
    attempts: NDArray[np.int64]


@dataclass(frozen=True)
class Observable:
    """An observable as the evaluator describes it. `valid` is its window, None when open. `term` is the formula of an
    observable that is the -ln L of others.
    """

    name: str
    unit: str
    code: str
    valid: tuple[float, float] | None
    likelihood: Likelihood
    term: Term | None = None
