"""The physics codes of a scan file as a function of points in the unit cube, evaluated by their own evaluator."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.pairs import address_of, evaluator_process
from proposer.evaluation.work import Work
from proposer.space import Space
from proposer.types import Floats, Pending
from proposer.wire.pool import Pool
from scanspec import read_scan_file

_AT_ONCE = 2000


@contextlib.contextmanager
def nll_of(scan: Path) -> Iterator[Callable[[Floats], Floats]]:
    """Gives a function from u (n, d) to the NLL, shape (n,), NaN where there is none. One worker computes it until the
    context ends.
    """
    spec = read_scan_file(scan)
    with tempfile.TemporaryDirectory() as folder:
        address = Path(folder) / "address"
        python = Path(f".envs/{spec.environment}/bin/python")
        with (
            evaluator_process(scan, address, 1, python) as process,
            contextlib.closing(Pool([address_of(process, address)], say=print)) as evaluator,
        ):
            yield _Asked(evaluator, Space(spec.variables))


class _Asked:
    def __init__(self, evaluator: Pool, space: Space) -> None:
        self._evaluator, self._space = evaluator, space
        evaluator.describe(60.0)
        self._asked = 0

    def __call__(self, u: Floats) -> Floats:
        return np.concatenate(
            [np.empty(0), *(self._some(u[first : first + _AT_ONCE]) for first in range(0, len(u), _AT_ONCE))]
        )

    def _some(self, u: Floats) -> Floats:
        nll, work = np.full(len(u), math.nan), Work(self._space.names)
        first = self._asked + 1
        ids = np.arange(first, first + len(u))
        self._asked += len(u)
        work.add(Pending(ids, self._space.to_physical(u), np.zeros_like(ids)), len(u))
        for received in self._evaluator.evaluate(work, wait=60.0, until=math.inf):
            for outcome in received.outcomes:
                nll[outcome.id - first] = math.nan if outcome.nll is None else outcome.nll
        return nll
