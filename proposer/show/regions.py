"""Counts the regions of good points, as a hint for people who watch a scan; it is not a result.

It uses single linkage: two good points are in one region if a chain of good points connects them whose steps are no
longer than LINK times the 90th percentile of the distances between nearest neighbours, in the unit cube.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from proposer.formats import show_number
from proposer.target import Target
from proposer.types import Floats

LINK = 3.0
LEAST = 5
"""The least number of good points in a region."""

FIRST = 20
"""The least number of good points before regions are counted."""

MOST = 400
"""The most good points that are used, spread over all good points."""

MOST_KEPT = 20_000

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class RegionCount:
    """Keeps good points and counts their regions. `names`: those of the d variables; without names, there are no words
    about regions.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._points: list[tuple[Floats, Floats, float]] = []
        self._looked_at = 0
        self._words = ""

    def add(self, u: Floats, values: Floats, nll: float = 0.0) -> None:
        """Adds a good point: `u` in the unit cube and `values` in physical units, shape (d,) each."""
        self._points.append((u.copy(), values.copy(), nll))  # a view would keep its whole batch in memory
        if len(self._points) > MOST_KEPT:
            self._points = self._points[::2]
            self._looked_at //= 2

    def keep(self, target: Target) -> None:
        """Drops points that are no longer good, because the threshold has moved."""
        self._points = [point for point in self._points if target.contains(point[2])]
        self._looked_at, self._words = 0, ""

    @property
    def words(self) -> str:
        """The number of regions and the position of the newest; computed anew when there are a tenth more points."""
        if self._names and len(self._points) >= max(FIRST, 1.1 * self._looked_at):
            self._looked_at = len(self._points)
            self._words = self._look()
        return self._words

    def _look(self) -> str:
        from scipy.cluster.hierarchy import fcluster, linkage  # imported here: it takes a second
        from scipy.spatial.distance import pdist, squareform

        points = self._points  # the scan may put a shorter list in its place while the display looks
        chosen = np.unique(np.linspace(0, len(points) - 1, MOST).round().astype(int))
        u, values = (np.array([points[k][part] for k in chosen]) for part in (0, 1))
        distances = pdist(u)
        nearest = (squareform(distances) + np.diag(np.full(len(u), np.inf))).min(1)
        reach = LINK * float(np.quantile(nearest, 0.9))
        if reach <= 0:
            return ""
        labels = fcluster(linkage(distances, "single"), reach, "distance")
        sizes = np.bincount(labels)
        regions = [label for label in np.flatnonzero(sizes >= max(LEAST, 0.02 * len(u))).tolist() if label]
        if len(regions) < 2:
            return ""
        newest = max(regions, key=lambda label: int(np.flatnonzero(labels == label)[0]))  # found last
        there, elsewhere = labels == newest, (labels != newest) & np.isin(labels, regions)
        apart = np.abs(u[there].mean(0) - u[elsewhere].mean(0)) / (u[there].std(0) + u[elsewhere].std(0) + 1e-3)
        axis = int(apart.argmax())
        order = ORDINALS[len(regions) - 1] if len(regions) <= len(ORDINALS) else "newest"
        middle = show_number(float(np.median(values[there, axis])), 3)
        return f"{len(regions)} regions; the {order} near {self._names[axis]} = {middle}"
