"""Decides when a strategy is asked, and which results it is told before: batches in order, or results as
they arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from proposer.evaluation.work import Work
from proposer.run.dataset import Dataset, DatasetError
from proposer.strategies.base import Strategy


def _restore(strategy: Strategy, checkpoint: bytes, dataset: Dataset) -> None:
    """Gives a checkpoint to a strategy. Raises DatasetError if the strategy cannot use it, whatever error it causes."""
    try:
        strategy.restore(checkpoint)
    except Exception as error:
        raise DatasetError(
            f"{dataset.path}: the state of the search cannot be read ({error}), perhaps because another version of "
            "lodescan or of its packages stored it",
            next_step="go on with that version, or start anew in another folder",
        ) from error


class Telling(Protocol):
    """Stands between the dataset and a strategy."""

    def resume(self) -> None:
        """Gives a new strategy the state that it had in the last command. Called once, before all other methods."""
        ...

    def ready(self) -> bool:
        """Whether enough points are answered for the next ask."""
        ...

    def tell(self) -> bool:
        """Tells the results that the next ask is to see. Returns False if some of them are still missing."""
        ...

    def finish(self) -> None:
        """Tells the remaining results, at the end of a scan."""
        ...


class InOrder:
    """The ask for batch k sees all batches up to k - 1 - lag, in the order of their ids, and nothing else."""

    def __init__(self, dataset: Dataset, strategy: Strategy) -> None:
        self._dataset, self._strategy = dataset, strategy
        self._init_batches = int(any(origin == "init" for origin, _ in dataset.counts()))
        self._told = 0  # batches

    def resume(self) -> None:
        """Tells the batches that the last ask had seen. After an eager scan some of them may still be incomplete."""
        if (checkpoint := self._dataset.latest_checkpoint()) is not None:
            self._tell_up_to(self._seen_by_ask(self._dataset.batches))
            _restore(self._strategy, checkpoint[1], self._dataset)

    def ready(self) -> bool:
        """Whether every point that the next ask sees is answered."""
        return self._dataset.complete_batches() >= self._seen_by_ask(self._dataset.batches + 1)

    def tell(self) -> bool:
        """Tells the batches that the next ask sees, as far as they are complete. Returns whether all are."""
        seen = self._seen_by_ask(self._dataset.batches + 1)
        self._tell_up_to(seen)
        return self._told >= seen

    def finish(self) -> None:
        """Tells every complete batch."""
        self._tell_up_to(self._dataset.batches)

    def _seen_by_ask(self, number: int) -> int:
        """The last batch whose results the ask for batch `number` sees. Points of an `init_csv` are always seen."""
        return max(number - 1 - self._strategy.lag, min(self._init_batches, number - 1), 0)

    def _tell_up_to(self, last: int) -> None:
        while self._told < min(last, self._dataset.complete_batches()):
            self._told += 1
            self._strategy.tell(self._dataset.told(self._told))


class AsTheyCome:
    """An ask sees every result that has arrived. The next ask is due once at most `ahead()` points have no answer."""

    def __init__(self, dataset: Dataset, strategy: Strategy, work: Work, ahead: Callable[[], int]) -> None:
        self._dataset, self._strategy = dataset, strategy
        self._work, self._ahead = work, ahead

    def resume(self) -> None:
        """Tells all results, also those that the last ask had not seen."""
        if (checkpoint := self._dataset.latest_checkpoint()) is not None:
            self.tell()
            _restore(self._strategy, checkpoint[1], self._dataset)

    def ready(self) -> bool:
        """Whether the workers would soon run out of points."""
        return len(self._work) <= self._ahead()

    def tell(self) -> bool:
        """Tells all results since the last call, batch by batch."""
        for told in self._dataset.news():
            self._strategy.tell(told)
        return True

    def finish(self) -> None:
        """Tells all results since the last call."""
        self.tell()
