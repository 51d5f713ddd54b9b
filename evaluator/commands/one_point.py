"""Points by hand with the same result as in a scan: with the same random numbers and surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluator.chain import Chain, Outcome
from evaluator.commands.cleaned import cleaned
from evaluator.executors.surroundings import Surroundings, runs_functions


class ByHand:
    """Loads a chain and runs its points in this process. Raises ConfigurationError if the chain cannot be loaded."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        with cleaned():
            chain.load()
        self._surroundings = Surroundings(chain.scan.folder) if runs_functions(chain) else None

    def evaluate(self, values: Sequence[float], folder: Path, *, point_id: int = 0, windows: bool = True) -> Outcome:
        """Runs one point like Chain.evaluate, with the random numbers of the scan's point with this id."""
        if self._surroundings is None:
            return self.chain.evaluate(values, folder, windows=windows)
        self._surroundings.seed(point_id, values)
        try:
            with cleaned():
                return self.chain.evaluate(values, folder, windows=windows)
        finally:
            self._surroundings.restore()
