"""Answers the questions of a method about a problem, counts them, and says when to stop."""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.metrics import Cells
from benchmarks.search.problems import Problem
from benchmarks.search.run import ENOUGH, Record
from proposer.types import Floats


class Answers:
    """All points that a method asked for, in its order. Repeated points count as evaluations, but not as good points. A
    run ends with 1,000 good points (and, with `cells95`, good points in 95 % of the cells), or with `most` evaluations.
    `ended`: why no more points are answered; "" before.
    """

    def __init__(self, problem: Problem, cells: Cells, most: int, *, cells95: bool) -> None:
        self.problem, self.most, self.ended = problem, most, ""
        self._cells_enough = 0.95 * cells.count if cells95 else 0.0
        self._cells = cells
        self._u: list[Floats] = []
        self._good: list[NDArray[np.bool_]] = []
        self._n = 0
        self._found: set[bytes] = set()  # good points
        self._occupied: set[int] = set()

    def nll(self, u: Floats) -> Floats | None:
        """The NLL, shape (n,), NaN where invalid, of points u (n, d); None when the run has ended."""
        answer = self.observed(u)
        return None if answer is None else answer[1]

    def observed(self, u: Floats) -> tuple[Floats, Floats] | None:
        """Observables, shape (n, m), and the NLL as in `nll`."""
        if not self.ended and self._n >= self.most:
            self.ended = f"{self.most:,} evaluations"
        if self.ended:
            return None
        u = np.clip(u, 0.0, 1.0)
        y, nll = self.problem.evaluate(u)
        kept = u[: self.most - self._n]  # points beyond the limit are answered, but not counted
        good = np.nan_to_num(nll[: len(kept)], nan=np.inf) < self.problem.threshold
        self._n += len(kept)
        self._u.append(kept)
        self._good.append(good)
        if good.any():
            self._found.update(row.tobytes() for row in kept[good])
            self._occupied.update(self._cells.cell(kept[good]).tolist())
        if len(self._found) >= ENOUGH and len(self._occupied) >= self._cells_enough:
            self.ended = "done"
        return y, nll

    def serve(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        """Answers the questions of `far` until the run ends or the other side has gone."""
        while len(head := incoming.read(8)) == 8:
            (n,) = struct.unpack("<q", head)
            u = np.frombuffer(incoming.read(8 * n * self.problem.dim), dtype=np.float64)
            if len(u) < n * self.problem.dim or (nll := self.nll(u.reshape(n, -1))) is None:
                return
            outgoing.write(nll.tobytes())
            outgoing.flush()

    def record(self) -> Record:
        """The points from which the figures are computed."""
        u = np.concatenate([np.empty((0, self.problem.dim)), *self._u])
        return Record(u, np.concatenate([np.empty(0, dtype=np.bool_), *self._good]))

    def repeats(self) -> int:
        """Evaluations of a point that was evaluated before."""
        return self._n - len({row.tobytes() for part in self._u for row in part})
