"""Draws points with matplotlib: two columns, contours of a third, or all pairs of variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from proposer.show.marks import PALETTE, PAPER, drawable
from proposer.show.saving import save
from proposer.show.ticks import set_ticks
from proposer.types import Floats
from scanspec import ScanFileError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Axis:
    """A column as an axis of a picture. `values`: one per point, NaN where the point has none."""

    label: str
    values: Floats
    scale: str
    limits: tuple[float, float] | None

    @property
    def drawable(self) -> NDArray[np.bool_]:
        """Whether the axis can show each value, shape (n,)."""
        return drawable(self.values, self.scale)


@dataclass(frozen=True)
class Points:
    """The answered points of a run: `columns` by name, shape (n,) each, and masks of good, bad and
    unphysical points.
    """

    title: str
    columns: dict[str, Floats]
    ids: NDArray[np.int64]
    good: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    unphysical: NDArray[np.bool_]


KINDS = {"unphysical": ("#8c8c8c", 7.0, "x"), "bad": ("#5f7d8c", 8.0, "o"), "good": ("#d84315", 9.0, "o")}
"""Colour, area (points squared) and marker of dots, in the order of drawing. Bad points are rings, so that they differ
in print.
"""

FEW = 500
"""More dots than this are drawn as one bitmap within a vector picture, to keep the file small."""

_SETTINGS: dict[Any, Any] = {"svg.hashsalt": "lodescan", "font.size": 9.0, "legend.fontsize": 8.0, "figure.dpi": 120.0}


@dataclass(frozen=True)
class Look:
    """The options of `lodescan plot`: `zoom` to the good points, logarithmic axes, dots coloured by a column."""

    zoom: bool = False
    xlog: bool = False
    ylog: bool = False
    colour: Axis | None = None


PLAIN = Look()


def draw_plot(
    points: Points,
    axes: list[Axis],
    contours: Sequence[float],
    path: Path,
    *,
    unphysical: bool,
    look: Look = PLAIN,
    beside: Path | None = None,
) -> None:
    """Draws two columns, with good and bad points apart. Of more than two columns it draws each against the first, or
    contours of the third. `beside`: another file for the same picture.

    Raises ScanFileError if nothing can be drawn, and UsageError if the file's suffix is not that of a picture.
    """
    axes = [looked_at(axes[0], points, look, log=look.xlog), looked_at(axes[1], points, look, log=look.ylog), *axes[2:]]
    x, y = axes[:2]
    masks = {"unphysical": points.unphysical & unphysical, "bad": points.bad, "good": points.good}
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.5, 4.4), layout="constrained")
        ax = figure.subplots()
        if look.colour is not None:
            _dots(ax, x, y, mask=masks["unphysical"], dot=KINDS["unphysical"], label="unphysical")
            _coloured(figure, ax, x, y, points=points, by=look.colour)
        elif len(axes) == 2 or contours:
            for kind, mask in masks.items():
                _dots(ax, x, y, mask=mask, dot=KINDS[kind], label=kind)
        else:
            for number, axis in enumerate(axes[1:]):
                _dots(
                    ax,
                    x,
                    axis,
                    mask=points.good | points.bad,
                    dot=(f"C{number}", 9.0, "o^svD"[number % 5]),
                    label=axis.label,
                )
        if contours:
            _contours(ax, axes, points.good | points.bad, contours)
        if look.colour is not None or len(axes) == 2 or contours:
            _star(ax, x, y, points, area=150.0)
        _frame(ax, x, y, points, masks, label_y=len(axes) == 2 or bool(contours))
        handles = _in_view(ax)
        if handles:
            figure.legend(handles=handles, loc="outside lower right", ncols=4, markerscale=1.2, frameon=False)
        save(figure, path, beside)


def draw_corner(points: Points, axes: list[Axis], path: Path, beside: Path | None = None) -> None:
    """Draws every pair of variables, with good points in the colour of their NLL and a star at the best one, and on the
    diagonal the histogram of the good points. `beside`: another file for the same picture. Raises ScanFileError.
    """
    count, coloured = len(axes), None
    masks = {"unphysical": points.unphysical, "bad": points.bad, "good": points.good}
    with mpl.rc_context(_SETTINGS | {"font.size": 8.0}):
        figure = Figure(figsize=(1.2 + 1.9 * count, 1.2 + 1.9 * count), layout="constrained")
        grid = figure.subplots(count, count, squeeze=False)
        for row in range(count):
            for column in range(count):
                ax: Axes = grid[row, column]
                if column > row:
                    ax.set_visible(False)
                    continue
                if column == row:
                    _histogram(ax, axes[row], points.good)
                else:
                    for kind in ("unphysical", "bad"):
                        colour, area, marker = KINDS[kind]
                        _dots(ax, axes[column], axes[row], mask=masks[kind], dot=(colour, area / 3, marker), label=kind)
                    coloured = _good_by_nll(ax, axes[column], axes[row], points) or coloured
                    _star(ax, axes[column], axes[row], points, area=45.0)
                    _frame(ax, axes[column], axes[row], points, masks, label_y=column == 0)
                    if column > 0:
                        ax.tick_params(axis="y", which="both", labelleft=False)
                if row == count - 1:
                    ax.set_xlabel(axes[column].label)
                else:
                    ax.set_xlabel("")
                    ax.tick_params(axis="x", which="both", labelbottom=False)
        if count > 1:
            handles, labels = grid[1, 0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="upper right", markerscale=2.0)
        if coloured is not None:
            bar = figure.colorbar(coloured, ax=grid.ravel().tolist(), label="NLL", shrink=0.4, anchor=(0.0, 0.0))
            bar.ax.set_gid("colours")
        save(figure, path, beside)


def _good_by_nll(ax: Axes, x: Axis, y: Axis, points: Points) -> Any:
    """Draws the good points of a small panel, the best on top. Returns what a colour bar needs, or None."""
    nll = points.columns["NLL"]
    rows = np.flatnonzero(points.good & x.drawable & y.drawable)
    if not len(rows):
        return None
    rows, every = rows[np.argsort(-nll[rows], kind="stable")], nll[points.good]
    drawn = ax.scatter(
        x.values[rows],
        y.values[rows],
        s=KINDS["good"][1] / 3,
        c=nll[rows],
        cmap=PALETTE,
        vmin=every.min(),
        vmax=every.max(),
        linewidths=0,
        gid="good",
        rasterized=bool(len(rows) > FEW),
    )
    _swatch(ax, "good", KINDS["good"][1] / 3)
    return drawn


def _swatch(ax: Axes, kind: str, area: float) -> None:
    """A dot for the legend, of points whose colours are those of a column: the colour of one point would mislead."""
    fill = "none" if kind == "bad" else PAPER.text
    ax.scatter([], [], s=area, facecolors=fill, edgecolors=PAPER.text, linewidths=0.7 * (kind == "bad"), label=kind)


def _star(ax: Axes, x: Axis, y: Axis, points: Points, *, area: float) -> None:
    """Draws a star at the point with the lowest NLL; none if all good ones have the same, as without a likelihood."""
    rows = np.flatnonzero(points.good if points.good.any() else points.bad)
    if not len(rows) or (len(rows) > 1 and not np.ptp(points.columns["NLL"][rows])):
        return
    best = rows[[points.columns["NLL"][rows].argmin()]]
    if x.drawable[best].all() and y.drawable[best].all():
        star: dict[str, Any] = {"s": area, "marker": "*", "color": PAPER.star, "edgecolors": "white", "linewidths": 0.8}
        whole = all(_shows(axis, float(axis.values[best][0])) for axis in (x, y))  # also at the end of an axis
        ax.scatter(x.values[best], y.values[best], label="best point", gid="best", zorder=5, clip_on=not whole, **star)


def _shows(axis: Axis, value: float) -> bool:
    """Whether a value lies within the limits of an axis."""
    return axis.limits is None or axis.limits[0] <= value <= axis.limits[1]


def _in_view(ax: Axes) -> list[Any]:
    """The entries of the legend: without the kinds of points of which none lies within the axes."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    handles: list[Any] = ax.get_legend_handles_labels()[0]
    found = []
    for handle in handles:
        x, y = np.asarray(handle.get_offsets()).reshape(-1, 2).T
        inside = (x >= left) & (x <= right) & (y >= low) & (y <= high)
        if inside.any() or not len(x):  # swatches of a legend have no coordinates
            found.append(handle)
    return found


def left_out(points: Points, axes: list[Axis], *, unphysical: bool) -> str:
    """Says how many points with values lie outside the axes; empty if none do."""
    drawn = points.good | points.bad | (points.unphysical & unphysical)
    hidden = np.zeros(len(drawn), dtype=np.bool_)
    for axis in axes:
        with_value = drawn & ~np.isnan(axis.values)
        low, high = axis.limits or _limits(axis, points, {"bad": points.bad, "good": points.good}) or (-np.inf, np.inf)
        hidden |= with_value & ~(axis.drawable & (axis.values >= low) & (axis.values <= high))
    count = int(hidden.sum())
    return f"{count:,} {'point lies' if count == 1 else 'points lie'} outside its axes" if count else ""


def _dots(ax: Axes, x: Axis, y: Axis, *, mask: NDArray[np.bool_], dot: tuple[str, float, str], label: str) -> None:
    """`dot`: colour, area and marker."""
    shown = mask & x.drawable & y.drawable
    if shown.any():
        many = bool(shown.sum() > FEW)
        colour, area, marker = dot
        ring = label == "bad"
        ax.scatter(
            x.values[shown],
            y.values[shown],
            s=area,
            marker=marker,
            facecolors="none" if ring else colour,
            edgecolors=colour if ring else None,
            linewidths=0.5 if ring or marker == "x" else 0,
            label=label,
            gid=label,
            rasterized=many,
        )


def looked_at(axis: Axis, points: Points, look: Look, *, log: bool) -> Axis:
    """The axis with the scale and limits that the user asked for."""
    scale = "log" if log else axis.scale
    limits = None if log and axis.limits is not None and axis.limits[0] <= 0 else axis.limits
    axis = replace(axis, scale=scale, limits=limits)
    good = axis.values[points.good & axis.drawable]
    if look.zoom and len(good) > 1 and good.min() < good.max():
        axis = replace(axis, limits=_with_room(float(good.min()), float(good.max()), scale))
    return axis


def _coloured(figure: Figure, ax: Axes, x: Axis, y: Axis, *, points: Points, by: Axis) -> None:
    """Draws all points with an NLL in the colours of a column, good points as discs on top of bad ones, which are
    rings.
    """
    drawn, kinds = None, {"bad": (points.bad, 8.0), "good": (points.good, 12.0)}
    for kind, (mask, area) in kinds.items():
        shown = mask & x.drawable & y.drawable & by.drawable
        if shown.any():
            ends = by.values[(points.good if points.good.any() else points.bad) & by.drawable]
            colours: dict[str, Any] = {"vmin": ends.min(), "vmax": ends.max(), "cmap": "viridis"}
            rows = np.flatnonzero(shown)[np.argsort(-by.values[shown], kind="stable")]
            drawn = ax.scatter(
                x.values[rows],
                y.values[rows],
                c=by.values[rows],
                s=area,
                linewidths=0.0 if kind == "good" else 0.7,
                gid=kind,
                rasterized=bool(len(rows) > FEW),
                **colours,
            )
            if kind == "bad":
                drawn.set(facecolor="none", edgecolor=None)  # then the colours are those of the edges
    if drawn is not None:
        for kind, (mask, area) in kinds.items():
            if (mask & x.drawable & y.drawable & by.drawable).any():
                _swatch(ax, kind, area)
        shown = (points.bad | points.good) & x.drawable & y.drawable & by.drawable
        beyond = bool((by.values[shown] < ends.min()).any()), bool((by.values[shown] > ends.max()).any())
        extend = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}[beyond]
        figure.colorbar(drawn, ax=ax, label=by.label, extend=extend)


LEAST_OF_CONTOURS = 3  # points, for one triangle


def _contours(ax: Axes, axes: list[Axis], mask: NDArray[np.bool_], levels: Sequence[float]) -> None:
    """Draws contours of a linear interpolation on triangles between the points."""
    x, y, z = (axis.values for axis in axes[:3])
    shown = mask & np.logical_and.reduce([axis.drawable for axis in axes[:3]])
    try:
        lines = ax.tricontour(
            x[shown], y[shown], z[shown], levels=int(levels[0]) if len(levels) == 1 else list(levels), cmap="viridis"
        )
    except (ValueError, RuntimeError) as error:  # too few points, or all on a line
        count, why = int(shown.sum()), str(error)
        if count < LEAST_OF_CONTOURS:
            why = f"at least {LEAST_OF_CONTOURS} are needed"
        elif isinstance(error, RuntimeError):  # of qhull, in words about its algorithm
            why = f"in {axes[0].label} and {axes[1].label} they lie on one line"
        raise ScanFileError(f"contours of {axes[2].label} cannot be drawn from {count} points: {why}") from None
    ax.clabel(lines, fontsize=7)


def _histogram(ax: Axes, axis: Axis, good: NDArray[np.bool_]) -> None:
    values = axis.values[good & axis.drawable]
    ax.set_xscale(axis.scale)
    if axis.limits is not None:
        ax.set_xlim(axis.limits)
    if len(values):
        low, high = axis.limits or (values.min(), values.max())
        edges = np.geomspace(low, high, 31) if axis.scale == "log" else np.linspace(low, high, 31)
        ax.hist(values, bins=edges.tolist(), color=KINDS["good"][0])
        ax.set_ylabel("good points", fontsize=7)
    set_ticks(ax)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))


def _frame(ax: Axes, x: Axis, y: Axis, points: Points, masks: dict[str, NDArray[np.bool_]], *, label_y: bool) -> None:
    ax.set_xlabel(x.label)
    ax.set_ylabel(y.label if label_y else "")
    ax.set_xscale(x.scale)
    ax.set_yscale(y.scale)
    for axis, set_limits in ((x, ax.set_xlim), (y, ax.set_ylim)):
        limits = axis.limits or _limits(axis, points, masks)
        if limits is not None:
            set_limits(*limits)
    set_ticks(ax)


def _limits(axis: Axis, points: Points, masks: dict[str, NDArray[np.bool_]]) -> tuple[float, float] | None:
    """Limits around all good points and 98 % of the others, because one outlier would squeeze the rest into a line."""
    every = axis.values[(masks["bad"] | masks["good"]) & axis.drawable]
    good = axis.values[points.good & axis.drawable]
    if not len(every):
        return None
    low, high = np.percentile(every, [1, 99])
    if len(good):
        low, high = min(low, good.min()), max(high, good.max())
    if not low < high:
        return None
    return _with_room(float(low), float(high), axis.scale)


def _with_room(low: float, high: float, scale: str) -> tuple[float, float]:
    if scale == "log":
        room = (high / low) ** 0.04
        return low / room, high * room
    room = 0.04 * (high - low)
    return low - room, high + room
