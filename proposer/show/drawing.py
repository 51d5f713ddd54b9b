"""Draws points with matplotlib: two columns, contours of a third, or all pairs of variables."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proposer.run.files import writing
from proposer.types import Floats
from scanspec.document import ScanFileError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Axis:
    """A column as a picture shows it: a value a point, NaN where it has none."""

    label: str
    values: Floats
    scale: str
    limits: tuple[float, float] | None


@dataclass(frozen=True)
class Points:
    """The answered points of a run: a column a name, and which points are good, bad and unphysical."""

    title: str
    columns: dict[str, Floats]
    ids: NDArray[np.int64]
    good: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    unphysical: NDArray[np.bool_]


KINDS = {"unphysical": ("#b0bec5", 4.0), "bad": ("#78909c", 5.0), "good": ("#d84315", 9.0)}
"""Colour and area of a dot (points squared), drawn in this order."""

FEW = 500
"""Above this many, dots are one image within a picture of vectors, whose size would grow with them."""

_SETTINGS: dict[Any, Any] = {"svg.hashsalt": "lodescan", "font.size": 9.0, "legend.fontsize": 8.0, "figure.dpi": 120.0}


def draw_plot(points: Points, axes: list[Axis], contours: Sequence[float], path: Path, *, unphysical: bool) -> None:
    """Two columns, good and bad points apart; more than two: each against the first, or contours of the third.

    Raises ScanFileError where there is nothing to draw, or the file's suffix names no kind of picture.
    """
    x, y = axes[:2]
    masks = {"unphysical": points.unphysical & unphysical, "bad": points.bad, "good": points.good}
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(5.5, 4.4), layout="constrained")
        ax = figure.subplots()
        ax.set_title(points.title, fontsize=9, parse_math=False)
        if len(axes) == 2 or contours:
            for kind, mask in masks.items():
                _dots(ax, x, y, mask, *KINDS[kind], kind)
        else:
            for number, each in enumerate(axes[1:]):
                _dots(ax, x, each, points.good | points.bad, f"C{number}", 7.0, each.label)
        if contours:
            _contours(ax, axes, points.good | points.bad, contours)
        _frame(ax, x, y, points, masks, label_y=len(axes) == 2 or bool(contours))
        if ax.collections:
            figure.legend(loc="outside lower right", ncols=3, markerscale=1.5, frameon=False)
        _save(figure, path)


def draw_corner(points: Points, axes: list[Axis], path: Path) -> None:
    """Every pair of variables, and on the diagonal how the good points lie along each. Raises ScanFileError."""
    count = len(axes)
    masks = {"unphysical": points.unphysical, "bad": points.bad, "good": points.good}
    with mpl.rc_context(_SETTINGS | {"font.size": 8.0}):
        figure = Figure(figsize=(1.2 + 1.9 * count, 1.2 + 1.9 * count), layout="constrained")
        grid = figure.subplots(count, count, squeeze=False)
        figure.suptitle(points.title, fontsize=9, parse_math=False)
        for row in range(count):
            for column in range(count):
                ax: Axes = grid[row, column]
                if column > row:
                    ax.set_visible(False)
                    continue
                if column == row:
                    _histogram(ax, axes[row], points.good)
                else:
                    for kind, mask in masks.items():
                        _dots(ax, axes[column], axes[row], mask, KINDS[kind][0], KINDS[kind][1] / 3, kind)
                    _frame(ax, axes[column], axes[row], points, masks, label_y=column == 0)
                    if column > 0:
                        ax.set_yticklabels([])
                if row == count - 1:
                    ax.set_xlabel(axes[column].label)
                else:
                    ax.set_xlabel("")
                    ax.set_xticklabels([])
        if count > 1:
            handles, labels = grid[1, 0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="upper right", markerscale=3.0)
        _save(figure, path)


MOST = 1e100
"""Larger values than this are no physics, and matplotlib's transformations overflow near the largest double."""


def drawable(axis: Axis) -> NDArray[np.bool_]:
    """Which values the axis can show at all: finite, and on a logarithmic axis positive."""
    found: NDArray[np.bool_] = np.isfinite(axis.values) & (np.abs(axis.values) < MOST)
    return found & (axis.values > 1.0 / MOST) if axis.scale == "log" else found


def left_out(points: Points, axes: list[Axis], *, unphysical: bool) -> str:
    """How many points, of those with a value, no picture of these axes shows; empty for none."""
    drawn = points.good | points.bad | (points.unphysical & unphysical)
    hidden = np.zeros(len(drawn), dtype=np.bool_)
    for axis in axes:
        with_value = drawn & ~np.isnan(axis.values)
        low, high = axis.limits or _limits(axis, points, {"bad": points.bad, "good": points.good}) or (-np.inf, np.inf)
        hidden |= with_value & ~(drawable(axis) & (axis.values >= low) & (axis.values <= high))
    return f"{int(hidden.sum()):,} points lie outside its axes" if hidden.any() else ""


def _dots(ax: Axes, x: Axis, y: Axis, mask: NDArray[np.bool_], colour: str, area: float, label: str) -> None:
    shown = mask & drawable(x) & drawable(y)
    if shown.any():
        many = bool(shown.sum() > FEW)
        ax.scatter(
            x.values[shown],
            y.values[shown],
            s=area,
            color=colour,
            linewidths=0,
            label=label,
            gid=label,
            rasterized=many,
        )


def _contours(ax: Axes, axes: list[Axis], mask: NDArray[np.bool_], levels: Sequence[float]) -> None:
    """Lines through a linear interpolation on the triangles between the points."""
    x, y, z = (each.values for each in axes[:3])
    shown = mask & np.logical_and.reduce([drawable(each) for each in axes[:3]])
    try:
        lines = ax.tricontour(
            x[shown], y[shown], z[shown], levels=int(levels[0]) if len(levels) == 1 else list(levels), cmap="viridis"
        )
    except (ValueError, RuntimeError) as error:  # too few points, or all on a line
        what = f"contours of {axes[2].label} cannot be drawn from {int(shown.sum())} points"
        raise ScanFileError(f"{what}: {error}") from None
    ax.clabel(lines, fontsize=7)


def _histogram(ax: Axes, axis: Axis, good: NDArray[np.bool_]) -> None:
    values = axis.values[good & drawable(axis)]
    ax.set_yticks([])
    ax.set_xscale(axis.scale)
    if axis.limits is not None:
        ax.set_xlim(axis.limits)
    if len(values):
        low, high = axis.limits or (values.min(), values.max())
        edges = np.geomspace(low, high, 31) if axis.scale == "log" else np.linspace(low, high, 31)
        ax.hist(values, bins=edges.tolist(), color=KINDS["good"][0])


def _frame(ax: Axes, x: Axis, y: Axis, points: Points, masks: dict[str, NDArray[np.bool_]], *, label_y: bool) -> None:
    ax.set_xlabel(x.label)
    ax.set_ylabel(y.label if label_y else "")
    ax.set_xscale(x.scale)
    ax.set_yscale(y.scale)
    for axis, set_limits in ((x, ax.set_xlim), (y, ax.set_ylim)):
        limits = axis.limits or _limits(axis, points, masks)
        if limits is not None:
            set_limits(*limits)


def _limits(axis: Axis, points: Points, masks: dict[str, NDArray[np.bool_]]) -> tuple[float, float] | None:
    """All good points, and nearly all others: one that is far out would make the rest a line."""
    every = axis.values[(masks["bad"] | masks["good"]) & drawable(axis)]
    good = axis.values[points.good & drawable(axis)]
    if not len(every):
        return None
    low, high = np.percentile(every, [1, 99])
    if len(good):
        low, high = min(low, good.min()), max(high, good.max())
    if not low < high:
        return None
    if axis.scale == "log":
        room = (high / low) ** 0.04
        return float(low / room), float(high * room)
    room = 0.04 * (high - low)
    return float(low - room), float(high + room)


def _save(figure: Figure, path: Path) -> None:
    kind = path.suffix.lower()
    supported = figure.canvas.get_supported_filetypes()
    if kind.removeprefix(".") not in supported:
        raise ScanFileError(f"{path}: no kind of picture is called {kind!r}; write .pdf, .png or .svg")
    # without dates, so that the same run gives the same file
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".eps": {"CreationDate": None}}
    try:
        picture = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of matplotlib's layout, of glyphs that a font lacks
            figure.savefig(picture, format=kind.removeprefix("."), metadata=dates.get(kind, {}))
    except (ValueError, RuntimeError, OverflowError, ArithmeticError) as error:  # a label that is no formula, say
        words = " ".join(str(error).split())
        raise ScanFileError(f"the picture {path.name} cannot be drawn, perhaps for a label: {words:.200}") from None
    with writing(path.parent, path.name) as file:
        file.write(picture.getvalue())
