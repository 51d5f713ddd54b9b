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

FINE = 240
"""The same for two variables."""

FEW = 10
"""The number of points in a region below which the points are drawn instead of a contour."""

Mask = NDArray[np.bool_]

_NEIGHBOUR = 3  # the rank of the neighbour whose distance measures the spacing of points
_WIDER = 2.5
_WIDE = 30  # points of a neighbourhood whose width is measured
_MOST = 3000  # points that are looked at for this
_BEYOND = 1.5  # times h: where k is above all contours
_CLOSE = 0.75  # times h: a gap as small as this between points and the end of an axis is closed
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


def surface(
    x: Floats, y: Floats, nll: Floats, bounds: tuple[Floats, Floats], best: float, measured: Mask | None = None
) -> Surface:
    """The profile of two variables from scattered points, with smooth contours.

    z is the closing of the points, in the sense of mathematical morphology (J. Serra, Image Analysis and Mathematical
    Morphology (1982)), by k(p) = (p_x / h_x)^4 + (p_y / h_y)^4: first l(p) = min_i [NLL_i - best + k(p - p_i)] over the
    points i, then z(p) = max_q [l(q) - k(q - p)]. It closes gaps of up to about 2 h between points, rises steeply
    beyond the outermost of them, and is nowhere above a point. h, one number for each axis, is 2.5 times the typical
    distance between points near the best (see `_spacing`), but at least one step of the grid. If only some of the
    points are `measured`, shape (n,), and the others are estimates, it is the distance between the measured ones.
    """
    points = np.column_stack([_unit(x, bounds[0]), _unit(y, bounds[1])])
    nodes = np.array([len(bounds[0]), len(bounds[1])])
    below = nll < best + height(0.95, 2)
    inside = ((points > -0.2) & (points < 1.2)).all(axis=1)
    inner = points[below & inside & (True if measured is None else measured)]
    reach = np.maximum(_WIDER * _spacing(inner), 1.0 / (nodes - 1))
    # l is needed beyond the axes too, because the region ends there if no point lies beyond
    pad = np.minimum(np.ceil(_BEYOND * reach * (nodes - 1)), nodes // 2).astype(np.int64)
    every = nodes + 2 * pad
    near = (nll < best + _FAR_UP) & ((points > -pad / (nodes - 1)) & (points < 1 + pad / (nodes - 1))).all(axis=1)
    least = np.full(every[::-1], _FAR_UP)
    at, heights = _mirrored(points[near], nll[near] - best, _CLOSE * reach)
    np.minimum.at(least, _nodes((at * (nodes - 1) + pad) / (every - 1), (int(every[0]), int(every[1]))), heights)
    far_x, far_y = (_steep(far * (n - 1)) for far, n in zip(reach, nodes, strict=True))
    z = -_envelope(-_envelope(least, far_x, far_y), far_x, far_y)
    z = z[pad[1] : pad[1] + nodes[1], pad[0] : pad[0] + nodes[0]]
    x_grid, y_grid = (_from_unit(np.linspace(0.0, 1.0, len(one)), one) for one in bounds)
    return Surface(x_grid, y_grid, z)


def _mirrored(points: Floats, heights: Floats, reach: Floats) -> tuple[Floats, Floats]:
    """Points, shape (n, 2), and their mirror images beyond the ends of the axes, if they are closer than `reach` to
    one: such a gap is closed, as between two points.
    """
    for k in (0, 1):
        for end in (0.0, 1.0):
            close = np.abs(points[:, k] - end) < reach[k]
            images = points[close].copy()
            images[:, k] = 2 * end - images[:, k]
            points, heights = np.concatenate([points, images]), np.concatenate([heights, heights[close]])
    return points, heights


def _steep(reach: float) -> Floats:
    """k along one axis, at 0, 1, 2, ... nodes from a point, as far as it is below all heights; h is `reach` nodes."""
    found: Floats = (np.arange(int(reach * _FAR_UP**0.25) + 1) / reach) ** 4
    return found


def _envelope(values: Floats, far_x: Floats, far_y: Floats) -> Floats:
    """The least of value + k over all nodes, at each node. k is the sum of a function of x and one of y, at 0, 1, 2,
    ... nodes. Values span at most _FAR_UP, so nodes where k is larger do not matter.
    """
    for far in (far_x, far_y):
        values = np.ascontiguousarray(values.T)  # rows are moved, which is faster than columns
        found, raised = values.copy(), np.empty_like(values)
        for step, k in enumerate(far[1 : len(found)], start=1):
            np.add(values, k, out=raised)  # once for both directions
            np.minimum(found[step:], raised[:-step], out=found[step:])
            np.minimum(found[:-step], raised[step:], out=found[:-step])
        values = found
    return values


def without_lone(
    found: Surface, x: Floats, y: Floats, above: Floats, *, level: float, few: int = FEW
) -> tuple[Surface, Mask]:
    """The surface without the regions below the level that hold fewer than `few` points. Also returns which points lie
    in these regions; of several points at one node of the grid, the one with the lowest NLL.

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


def _spacing(points: Floats) -> Floats:
    """The typical distance between points, shape (n, 2), along each axis, shape (2,).

    Distances are measured in units of the typical width, along each axis, of a neighbourhood of _WIDE points, which is
    narrow where a region is. So the answer does not depend on the range of the axes.
    """
    points = points[:: len(points) // _MOST + 1]
    if len(points) <= _NEIGHBOUR:
        return np.zeros(2)
    # interquartile ranges, because one point far from all others must not widen them
    widths = np.ptp(np.quantile(points, (0.25, 0.75), axis=0), axis=0)
    widths = np.where(widths > 0, widths, points.std(axis=0))
    if not (widths > 0).all():
        return np.zeros(2)
    _, others = cKDTree(points / widths).query(points / widths, k=min(_WIDE, len(points)))
    local = np.median(points[others].std(axis=1), axis=0)
    widths = np.where(local > 0, local, widths)
    distances, _ = cKDTree(points / widths).query(points / widths, k=[_NEIGHBOUR + 1])
    found: Floats = float(np.median(distances)) * widths
    return found


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
