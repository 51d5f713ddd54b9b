"""What a strategy is: ask and tell, without I/O.

A strategy decides which points to try next. It never sees an evaluator, a file or the
dataset: the scan asks it for a batch, and tells it what came of earlier ones. So the
same code runs in a scan, in a resumed scan and in a test.

How a scan drives a strategy:

1. `batch = strategy.ask()`, and then `strategy.checkpoint()`; both are stored in one
   transaction before a point is sent.
2. When every point of the batch has an answer, `strategy.tell(...)` with that batch.

An eager scan (`--eager`) asks when the evaluator would soon have nothing to do, and tells
what has come by then: some points of a batch now, others later, in no order.

How a resumed scan does: a new object is told the batches that the last ask had seen, in
order, one call a batch; `restore` gives it the newest checkpoint; what is not complete is
finished and told. From then on the object asks what the uninterrupted one would have asked.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np

from proposer.target import Target
from proposer.types import Batch, Floats, Status, Told


def judged(told: Told) -> Floats:
    """The NLL by which a point is good or not, shape (n,): NaN where it is not OK."""
    return np.where(told.status == Status.OK, told.nll, np.nan)


def generator(seed: int, step: int, purpose: str) -> np.random.Generator:
    """The random numbers for one purpose at one step of a strategy's loop; nothing else decides them."""
    return np.random.default_rng(np.random.SeedSequence([seed, step, *purpose.encode()]))


class Settings(Protocol):
    """The settings of any strategy: a dataclass, of which the scan itself reads the target alone."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def target(self) -> Target:
        """Which points are good."""
        ...


class Strategy(Protocol):
    """Decides which points to try next.

    `lag`: how many batches may be out when the next one is asked for: ask number k
    follows the tells of all batches up to k - 1 - lag (and of an InitCSV), and of no
    others, so that arrival times never change a scan. `eager`: whether it may be asked at
    any time instead, knowing any part of what is out. `stop_reason`: why `ask` gave None; "" before.
    `good`: how many good points were told, those from an earlier run included; by the best of these where the target
    follows the best NLL.

    Random draws depend on the seed, the step of the loop and their purpose, never on
    time, on earlier draws or on a global state.
    """

    lag: int
    eager: bool
    stop_reason: str

    @property
    def good(self) -> int: ...

    def ask(self, least: int = 1) -> Batch | None:
        """The next batch; None when the strategy is done.

        Training happens here. `least`: an eager strategy asks for so many points where its own batch would be smaller.
        The same `least` gives the same points.
        """
        ...

    def tell(self, told: Told) -> None:
        """Takes the answers of one batch, in an eager scan of a part of it; cheap, never trains."""
        ...

    def checkpoint(self) -> bytes:
        """What `restore` needs beside the told points: weights, optimiser, step of the loop."""
        ...

    def restore(self, data: bytes) -> None:
        """Goes back to where a checkpoint was made, with the points told so far; raises CheckpointError."""
        ...
