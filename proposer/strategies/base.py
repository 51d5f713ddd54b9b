"""The protocol of strategies: ask and tell, without I/O.

A strategy decides which points to try next. It never sees an evaluator, a file or the dataset: the scan asks it for a
batch, and tells it the results of earlier batches. So the same code runs in a scan, in a resumed scan and in a test.

How a scan drives a strategy:

1. `batch = strategy.ask()`, and then `strategy.checkpoint()`; both are stored in one
   transaction before a point is sent.
2. When every point of the batch has an answer, `strategy.tell(...)` with that batch.

An eager scan (`--eager`) asks before the evaluators run out of points, and tells the results that have arrived: some
points of a batch now, others later, in any order.

A resumed scan makes a new object. It tells the batches that the last ask had seen, in order, one call per batch, and
gives the newest checkpoint to `restore`. Incomplete batches are then evaluated and told. From then on, the object asks
for the same points as the uninterrupted one would have.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from proposer.target import Target
from proposer.types import Batch, Floats, Status, Told


def judged(told: Told) -> Floats:
    """The NLL of each point, shape (n,); NaN for points that are not OK, which cannot be good."""
    return np.where(told.status == Status.OK, told.nll, np.nan)


def generator(seed: int, step: int, purpose: str) -> np.random.Generator:
    """The random generator for one purpose at one step of a strategy's loop. It depends on nothing else."""
    return np.random.default_rng(np.random.SeedSequence([seed, step, *purpose.encode()]))


class Settings(Protocol):
    """The settings of any strategy: a dataclass. The scan itself reads only the target."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def target(self) -> Target:
        """Which points are good."""
        ...


class Strategy(Protocol):
    """Decides which points to try next.

    `lag`: how many batches may be out when the next one is asked for. Ask number k follows the tells of all batches up
    to k - 1 - lag (and of an `init_csv`), and of no others, so that arrival times never change a scan. `eager`: whether
    the strategy may instead be asked at any time, with any part of the results. `stop_reason`: why `ask` gave None; ""
    before. `good`: the number of good points told, including those of earlier commands; a target that follows the best
    NLL takes the best of these.

    Random draws depend on the seed, the step of the loop and their purpose, never on
    time, on earlier draws or on a global state.
    """

    lag: int
    eager: bool
    stop_reason: str

    @property
    def good(self) -> int: ...

    @property
    def start_points(self) -> int:
        """The number of points that the strategy asks for before it learns; 0 without such a start."""
        ...

    @property
    def training_seconds(self) -> float:
        """The time that the strategy has trained so far, in seconds."""
        ...

    def ask(self, least: int = 1) -> Batch | None:
        """The next batch; None if the strategy is done.

        Training happens here. `least`: the smallest batch for an eager strategy, even if its own batch would be
        smaller. The same `least` gives the same points.
        """
        ...

    def tell(self, told: Told) -> None:
        """Takes the results of one batch, or in an eager scan of a part of it. This is cheap and never trains."""
        ...

    def checkpoint(self) -> bytes:
        """The state that `restore` needs besides the told points: weights, optimiser, step of the loop."""
        ...

    def restore(self, data: bytes) -> None:
        """Goes back to the state of a checkpoint, with the points told so far. Raises CheckpointError."""
        ...
