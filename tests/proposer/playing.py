"""A scan without an evaluator, which can be interrupted between any two batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from proposer.run.dataset import Dataset
from proposer.space import Space
from proposer.strategies.base import Strategy
from proposer.types import Batch, Floats, Outcome

Outcomes = Callable[[list[int], Floats], list[Outcome]]
"""From the ids of n points and u, shape (n, d), to their outcomes."""


class Playing:
    """A strategy with a real dataset, driven in the order of a scan with the strategy's lag."""

    def __init__(self, dataset: Dataset, strategy: Strategy, space: Space, outcomes: Outcomes) -> None:
        self.dataset, self.strategy, self.space, self.outcomes = dataset, strategy, space, outcomes
        self.told = 0
        self.batches: list[Batch] = []
        self.init = int(any(origin == "init" for origin, _ in dataset.counts()))

    def seen_by_ask(self, number: int) -> int:
        """The last batch that the strategy is told before it is asked for this one."""
        return max(number - 1 - self.strategy.lag, min(self.init, number - 1), 0)

    def resume(self) -> None:
        """Resumes as a scan does: the new object is told what the last ask had seen, and then gets the checkpoint."""
        self.told = 0
        if (checkpoint := self.dataset.latest_checkpoint()) is not None:
            self.tell_up_to(self.seen_by_ask(self.dataset.batches))
            self.strategy.restore(checkpoint[1])

    def tell_up_to(self, last: int) -> None:
        while self.told < last:
            self.told += 1
            self.strategy.tell(self.dataset.told(self.told))

    def answer_up_to(self, last: int) -> None:
        pending = self.dataset.pending()
        due = np.array([self.dataset.batch_of(point) <= last for point in pending.ids.tolist()], dtype=np.bool_)
        if due.any():
            self.dataset.record(self.outcomes(pending.ids[due].tolist(), self.space.to_unit(pending.params[due])))

    def ask(self) -> Batch | None:
        """Tells the batches that the lag allows, asks for a batch, and stores it."""
        seen = self.seen_by_ask(self.dataset.batches + 1)
        self.answer_up_to(seen)
        self.tell_up_to(seen)
        batch = self.strategy.ask()
        if batch is not None:
            self.dataset.add_batch(batch, self.space.to_physical(batch.u), self.strategy.checkpoint())
            self.batches.append(batch)
        return batch
