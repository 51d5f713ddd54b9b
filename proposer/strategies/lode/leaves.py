"""The leaves of a k-d tree: boxes with equal numbers of points, or with equal parts of the points' space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats


@dataclass(frozen=True)
class Leaves:
    """A k-d tree with 2^depth leaves. `axis` and `cut` belong to its inner nodes, in heap order."""

    depth: int
    axis: NDArray[np.int64]
    cut: Floats

    def __len__(self) -> int:
        return 1 << self.depth

    @classmethod
    def equal(cls, u: Floats, size: int) -> Leaves:
        """Leaves with about `size` of the points u (n, d) each, by cuts at the median of the widest axis."""
        return cls._grow(u, max(0, int(np.log2(max(1.0, len(u) / size)))), middle=False)

    @classmethod
    def halving(cls, u: Floats, count: int) -> Leaves:
        """About `count` leaves, by cuts in the middle of the widest axis of each node's points u (n, d)."""
        return cls._grow(u, max(0, int(np.log2(max(1, count)))), middle=True)

    @classmethod
    def _grow(cls, u: Floats, depth: int, *, middle: bool) -> Leaves:
        nodes, axes, cuts = [u], [], []
        for _ in range(depth):
            below: list[Floats] = []
            for points in nodes:
                if not len(points):
                    axes.append(0)
                    cuts.append(0.5)
                    below += [points, points]
                    continue
                axis = int((np.ptp(points, axis=0) if middle else points.var(axis=0)).argmax())
                column = points[:, axis]
                cut = float(0.5 * (column.min() + column.max()) if middle else np.median(column))
                right = column >= cut
                axes.append(axis)
                cuts.append(cut)
                below += [points[~right], points[right]]
            nodes = below
        return cls(depth, np.array(axes, dtype=np.int64), np.array(cuts))

    def of(self, u: Floats) -> NDArray[np.int64]:
        """The number of the leaf of each point, shape (n,), for points u (n, d)."""
        node = np.zeros(len(u), dtype=np.int64)
        rows = np.arange(len(u))
        for _ in range(self.depth):
            node = 2 * node + 1 + (u[rows, self.axis[node]] >= self.cut[node])
        return node - (len(self) - 1)
