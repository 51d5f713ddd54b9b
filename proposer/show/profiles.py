"""The profile NLL: the lowest NLL found at each value of one variable, or of two.

By Wilks' theorem (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60), twice the distance of the profile NLL from its minimum
follows a chi-square distribution, with as many degrees of freedom as variables shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.spatial import cKDTree

from proposer.target import height
from proposer.types import Floats

LEVELS = (0.68, 0.95)
"""The confidence levels of the contours."""

BINS = 60
"""The number of bins along one axis."""

FEW = 10
"""The number of points in a region below which the points are drawn instead of a contour."""

Mask = NDArray[np.bool_]

_NEIGHBOUR = 3  # the rank of the neighbour whose distance measures the spacing of points
_FAR_UP = 30.0  # height above the lowest NLL; no contour lies higher


def edges(low: float, high: float, scale: str, bins: int = BINS) -> Floats:
    """The edges, shape (bins + 1,), of bins of equal width on an axis of that scale."""
    return np.geomspace(low, high, bins + 1) if scale == "log" else np.linspace(low, high, bins + 1)


def around(values: Floats) -> Floats:
    """Bounds of bins around rising discrete values, shape (n,): halfway between them; shape (n + 1,)."""
    gaps = np.diff(values) if len(values) > 1 else np.ones(1)
    middle = values[:-1] + gaps / 2 if len(values) > 1 else values[:0]
    return np.concatenate([[values[0] - gaps[0] / 2], middle, [values[-1] + gaps[-1] / 2]])


def profile(x: Floats, nll: Floats, bounds: Floats) -> Floats:
    """The lowest NLL in each bin, shape (bins,); NaN in a bin without a point. x and nll: shape (n,)."""
    found = np.full(len(bounds) - 1, np.inf)
    inside = (x >= bounds[0]) & (x <= bounds[-1]) & np.isfinite(nll)
    bins = np.clip(np.searchsorted(bounds, x[inside], side="right") - 1, 0, len(found) - 1)
    np.minimum.at(found, bins, nll[inside])
    return np.where(np.isfinite(found), found, np.nan)


@dataclass(frozen=True)
class Surface:
    """The profile NLL above its minimum, z, shape (m, n), on a grid x, shape (n,), and y, shape (m,)."""

    x: Floats
    y: Floats
    z: Floats


def surface(x: Floats, y: Floats, nll: Floats, bounds: tuple[Floats, Floats], best: float) -> Surface:
    """The profile of two variables from scattered points, with smooth contours.

    z(p) = min_i [NLL_i + (|p - p_i| / h)^2] - best over the points i. This is the Moreau envelope of the points (J. J.
    Moreau, Bull. Soc. Math. France 93 (1965) 273). Distances are in units of the picture's width and height, and h is
    1.5 times the typical distance between points near the best, but at least one step of the grid. So z is never below
    the lowest NLL nearby, a point's influence reaches no farther than the gaps between points, and nothing is
    interpolated across a gap.
    """
    points = np.column_stack([_unit(x, bounds[0]), _unit(y, bounds[1])])
    near = (nll < best + _FAR_UP) & (points > -0.2).all(axis=1) & (points < 1.2).all(axis=1)
    points, nodes = points[near], (len(bounds[0]), len(bounds[1]))
    grid = np.linspace(0.0, 1.0, nodes[0]), np.linspace(0.0, 1.0, nodes[1])
    z = np.full((nodes[1], nodes[0]), _FAR_UP)
    if near.any():
        reach = max(1.5 * _spacing(points[nll[near] < best + height(0.95, 2)]), 1.0 / (min(nodes) - 1))
        least = np.full((nodes[1], nodes[0]), np.inf)
        np.minimum.at(least, _nodes(points, nodes), nll[near] - best)
        far_x = ((grid[0][:, None] - grid[0]) / reach) ** 2
        far_y = ((grid[1][:, None] - grid[1]) / reach) ** 2
        rows = (least[:, :, None] + far_x[None]).min(axis=1)  # a parabola in two variables is the sum of two parabolas
        z = np.minimum((rows[:, None, :] + far_y[:, :, None]).min(axis=0), _FAR_UP)
    return Surface(_from_unit(grid[0], bounds[0]), _from_unit(grid[1], bounds[1]), z)


def without_lone(
    found: Surface, x: Floats, y: Floats, above: Floats, *, level: float, few: int = FEW
) -> tuple[Surface, Mask]:
    """The surface without regions below the level that hold fewer than `few` points, and which points are in them: of
    those at one node of the grid the lowest.

    x, y, their NLL `above` the lowest, and the answer have shape (n,). Such a region is as wide as the gaps
    between points: its outline says nothing of the function.
    """
    points = np.column_stack([_unit(x, found.x), _unit(y, found.y)])
    seen = (above < level) & (points >= 0.0).all(axis=1) & (points <= 1.0).all(axis=1)
    region, count = label(found.z < level, structure=np.ones((3, 3)))
    of_point = region[_nodes(points[seen], (len(found.x), len(found.y)))]
    sparse = np.bincount(of_point, minlength=count + 1) < few
    sparse[0] = False
    order = np.flatnonzero(seen)[np.argsort(above[seen], kind="stable")]
    row, column = _nodes(points[order], (len(found.x), len(found.y)))
    _, first = np.unique(row * len(found.x) + column, return_index=True)
    lone = np.zeros(len(x), dtype=np.bool_)
    lone[order[first]] = sparse[region[row, column]][first]
    return Surface(found.x, found.y, np.where(sparse[region], _FAR_UP, found.z)), lone


def _nodes(points: Floats, nodes: tuple[int, int]) -> tuple[Any, Any]:
    """Row and column of the node of the grid next to each point, shape (n,) each; points in shares of the axes."""
    column, row = (np.clip(np.rint(points[:, k] * (nodes[k] - 1)).astype(np.int64), 0, nodes[k] - 1) for k in (0, 1))
    return row, column


def _spacing(points: Floats) -> float:
    if len(points) <= _NEIGHBOUR:
        return 0.0
    distances, _ = cKDTree(points).query(points, k=[_NEIGHBOUR + 1])
    return float(np.median(distances))


def is_log(bounds: Floats) -> bool:
    """Whether the bins have equal widths in the logarithm."""
    steps = np.diff(bounds)
    return bool(bounds[0] > 0 and not np.allclose(steps, steps[0]))


def _unit(values: Floats, bounds: Floats) -> Floats:
    if is_log(bounds):
        values, bounds = np.log(np.maximum(values, bounds[0] * 1e-6)), np.log(bounds)
    found: Floats = (values - bounds[0]) / (bounds[-1] - bounds[0])
    return found


def _from_unit(unit: Floats, bounds: Floats) -> Floats:
    ends = np.log(bounds[[0, -1]]) if is_log(bounds) else bounds[[0, -1]]
    found: Floats = ends[0] + unit * (ends[1] - ends[0])
    return np.exp(found) if is_log(bounds) else found
