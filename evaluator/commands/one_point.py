"""Points by hand with the same result as in a scan: with the same random numbers and surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluator.chain import Chain, Outcome
from evaluator.commands.cleaned import cleaned
from evaluator.executors.children import Children
from evaluator.executors.surroundings import Surroundings, runs_functions
from evaluator.leftovers import adopting_orphans
from evaluator.words import say


class ByHand:
    """Loads a chain and runs its points in this process. Raises ConfigurationError if the chain cannot be loaded."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        with cleaned():
            chain.load()
        self._surroundings = Surroundings(chain.scan.folder) if runs_functions(chain) else None
        self._said = set[str]()

    def evaluate(self, values: Sequence[float], folder: Path, *, point_id: int = 0, windows: bool = True) -> Outcome:
        """Runs one point like Chain.evaluate, with the random numbers of the scan's point with this id. Then it ends
        the processes that the point has left behind.
        """
        with cleaned(), adopting_orphans():
            children = Children(self._say_once)
            if self._surroundings is not None:
                self._surroundings.seed(point_id, values)
            try:
                return self.chain.evaluate(values, folder, windows=windows)
            finally:
                if self._surroundings is not None:
                    self._surroundings.restore()
                children.end_strays()

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            say(text)
