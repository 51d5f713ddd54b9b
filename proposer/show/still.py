"""Draws pictures with matplotlib: for a page, and for a paper."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from proposer.show import picture as p
from proposer.show.ticks import set_ticks
from proposer.types import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW = 500
"""Above this many, dots are one image within a picture of vectors, whose size would grow with them."""

MOST = 1e100
"""Larger values than this are no physics, and matplotlib's transformations overflow near the largest double."""


@dataclass(frozen=True)
class Look:
    """Colours of a picture: ground, text, lines behind the points, dots that are not good, categories, regions."""

    ground: str
    text: str
    line: str
    unphysical: str
    bad: str
    numbered: tuple[str, ...]
    regions: tuple[str, ...]
    status: tuple[str, ...]
    star: str
    size: float = 9.0
    dpi: float = 100.0


# Okabe and Ito's colours, which people with any sight tell apart, darker on light ground.
LIGHT = Look(
    "#ffffff",
    "#1b1f24",
    "#d5dae0",
    "#c3cad3",
    "#7f8b99",
    ("#0b5cad", "#b34700", "#00705a", "#8a3a78"),
    ("#2f6fb3", "#a9cbea"),
    ("", "#0b5cad", "#9aa5b1", "#c7361b", "#8a3a78"),
    "#d0021b",
)
PAPER = Look(
    "#ffffff",
    "#000000",
    "#d9d9d9",
    "#bdbdbd",
    "#7a7a7a",
    LIGHT.numbered,
    LIGHT.regions,
    LIGHT.status,
    LIGHT.star,
    size=8.0,
    dpi=300.0,
)

DASHES = ("-", "--", "-.", ":")
PALETTE = "viridis"
"""Of the NLL: the least is darkest; it keeps its order in grey."""

_OF_STATUS = {2: ("x", 9.0), 3: ("^", 14.0), 4: ("s", 12.0), 1: (".", 6.0)}  # marker and area, in this order


def pixels(drawn: Figure, look: Look) -> Image.Image:
    """A figure as an image of few colours, so that a page with many stays small."""
    drawn.set_dpi(look.dpi)
    canvas: Any = FigureCanvasAgg(drawn)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(128, method=Image.Quantize.FASTOCTREE)


def rendered(drawn: Figure, kind: str, look: Look) -> bytes:
    """A figure as a file of that kind, without dates, so that the same run gives the same file."""
    file = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of matplotlib's layout, of glyphs that a font lacks
        drawn.savefig(file, format=kind, dpi=look.dpi, metadata=dates.get(kind, {}), facecolor=drawn.get_facecolor())
    return file.getvalue()


def figure(picture: p.Picture, look: Look) -> Figure:
    """The figure of a picture."""
    rows, columns, places = _grid(picture)
    each = 3.4 if columns == 1 else 2.9 if columns <= 3 else 1.9 if columns <= 6 else 1.4
    if columns == 1 and picture.panels[0].y.categories:
        each = 5.2
    tall = max(panel.tall for panel in picture.panels)
    size = 0.4 + each * columns, 0.3 + each * tall * rows
    settings: dict[Any, Any] = {
        "svg.hashsalt": "lodescan",
        "pdf.fonttype": 42,
        "font.size": look.size,
        "legend.fontsize": look.size - 1,
        "text.color": look.text,
        "axes.labelcolor": look.text,
        "axes.edgecolor": look.text,
        "axes.facecolor": look.ground,
        "figure.facecolor": look.ground,
        "xtick.color": look.text,
        "ytick.color": look.text,
        "axes.titlesize": look.size,
        "legend.labelcolor": look.text,
        "axes.linewidth": 0.6,
        "mathtext.fontset": "dejavusans",
    }
    with mpl.rc_context(settings), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        alone = len(picture.panels) == 1 and not picture.panels[0].x.categories
        drawn = Figure(figsize=size, layout=None if alone else "constrained")
        grid = drawn.subplots(rows, columns, squeeze=False)
        for each_ax in grid.flat:
            each_ax.set_visible(False)
        coloured = None
        for panel, (row, column) in zip(picture.panels, places, strict=True):
            ax: Axes = grid[row, column]
            ax.set_visible(True)
            coloured = _panel(ax, panel, picture.table, look) or coloured
            if panel.place is not None:
                _trim(ax, row < rows - 1, column > 0)
        shown = [ax for ax in grid.flat if ax.get_visible()]
        if coloured is not None and picture.table is not None:
            where: dict[str, Any] = {"ax": shown if picture.panels[0].place is None else grid[:, -1].tolist()}
            if alone:
                where = {"cax": drawn.add_axes((1.0 - 0.52 / size[0], 0.2, 0.07 / size[0], 0.6))}
            bar: Any = drawn.colorbar(
                coloured, **where, label="NLL", **({} if alone else {"shrink": 0.8, "aspect": 30})
            )
            bar.outline.set_visible(False)
        _legend(drawn, shown, picture, look)
        if alone:
            room = _margins(picture.panels[0], size)  # which takes no time
            room["right"] -= 0.5 / size[0] * (coloured is not None)
            drawn.subplots_adjust(**room)
        elif (engine := drawn.get_layout_engine()) is not None:
            engine.execute(drawn)
            drawn.set_layout_engine("none")  # it is laid out; each drawing would do so again
    return drawn


def _margins(panel: p.Panel, size: tuple[float, float]) -> dict[str, float]:
    """Of a single panel with room for its labels, as shares of the figure's width and height (inches)."""
    longest = max((len(name) for name in panel.y.categories), default=6)
    return {
        "left": min(0.5, (0.28 + 0.075 * longest) / size[0]),
        "right": 1.0 - 0.12 / size[0],
        "bottom": 0.45 / size[1],
        "top": 1.0 - 0.32 / size[1],
    }


def _grid(picture: p.Picture) -> tuple[int, int, list[tuple[int, int]]]:
    if all(panel.place is not None for panel in picture.panels):
        places = [panel.place or (0, 0) for panel in picture.panels]
        return max(row for row, _ in places) + 1, max(column for _, column in places) + 1, places
    columns = min(picture.columns, len(picture.panels))
    rows = -(-len(picture.panels) // columns)
    return rows, columns, [divmod(k, columns) for k in range(len(picture.panels))]


def _trim(ax: Axes, above_another: bool, beside_another: bool) -> None:
    """Within a triangle of panels only the outer ones have labels."""
    if above_another:
        ax.set_xlabel("")
        ax.tick_params(labelbottom=False)
    else:
        ax.tick_params(axis="x", rotation=45)
    if beside_another:
        ax.set_ylabel("")
        ax.tick_params(labelleft=False)


def _panel(ax: Axes, panel: p.Panel, table: p.Table | None, look: Look) -> Any:
    """Draws one panel; returns what a colour bar needs, if anything is coloured by NLL."""
    for side, name in ((panel.x, "x"), (panel.y, "y")):
        getattr(ax, f"set_{name}label")(side.label)
        if side.categories:
            getattr(ax, f"set_{name}ticks")(range(len(side.categories)), side.categories)
        else:
            getattr(ax, f"set_{name}scale")(side.scale)
        if side.limits is not None:
            getattr(ax, f"set_{name}lim")(*side.limits)
    if panel.title:
        ax.set_title(panel.title, parse_math=False)
    coloured = None
    for mark in panel.marks:
        coloured = _mark(ax, mark, panel, table, look) or coloured
    if not (panel.x.categories or panel.y.categories):
        set_ticks(ax, 4 if panel.place is not None else 5)
    elif panel.x.categories:
        ax.tick_params(axis="x", rotation=45)
        for label in ax.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    else:
        ax.set_ylim(-0.6, len(panel.y.categories) - 0.4)
    return coloured


def _mark(ax: Axes, mark: p.Mark, panel: p.Panel, table: p.Table | None, look: Look) -> Any:
    if isinstance(mark, p.Dots):
        assert table is not None
        return _dots(ax, mark, panel, table, look)
    if isinstance(mark, p.Regions):
        levels = [0.0, *mark.levels]
        colours = ListedColormap(list(look.regions[: len(mark.levels)])) if len(mark.levels) <= 2 else None
        ax.contourf(
            mark.x,
            mark.y,
            mark.z,
            levels=[-1.0, *levels[1:]],
            **({"cmap": colours} if colours is not None else {"cmap": "Blues_r"}),
            antialiased=True,
        )
        ax.contour(
            mark.x,
            mark.y,
            mark.z,
            levels=levels[1:],
            colors=look.text,
            linewidths=0.6,
            linestyles=list(DASHES[: len(mark.levels)]),
        )
    elif isinstance(mark, p.Curve):
        style = {"color": look.numbered[mark.number % 4], "ls": DASHES[mark.number // 4 % 4], "lw": 1.4}
        if mark.steps:
            ax.step(mark.x, mark.y, where="mid", label=mark.label or None, **style)  # type: ignore[arg-type]
        else:
            ax.plot(mark.x, mark.y, label=mark.label or None, **style)  # type: ignore[arg-type]
    elif isinstance(mark, p.Bars):
        hatch = ("", "////", "....", "xxxx")[mark.number % 4]
        ax.barh(
            np.arange(len(mark.values)),
            mark.values,
            left=mark.start,
            height=0.62,
            hatch=hatch,
            color=look.numbered[mark.number % 4],
            edgecolor=look.ground,
            linewidth=0.4,
            label=mark.label or None,
        )
    elif isinstance(mark, p.Spread):
        places = np.arange(len(mark.low))
        ax.hlines(places, mark.low, mark.high, color=look.numbered[0], linewidth=4.0, alpha=0.55, label=mark.label)
        ax.plot(mark.middle, places, "|", color=look.numbered[0], markersize=8.0, markeredgewidth=1.6)
    elif isinstance(mark, p.Marks):
        y = np.arange(len(mark.x)) if mark.y is None else mark.y
        ax.plot(
            mark.x,
            y,
            "*",
            color=look.star,
            markersize=9.0,
            markeredgecolor=look.ground,
            markeredgewidth=0.5,
            label=mark.label or None,
            linestyle="none",
            zorder=5,
            clip_on=True,
        )
    elif isinstance(mark, p.Cells):
        _cells(ax, mark.values, look)
    elif mark.upright:
        ax.axvline(mark.value, color=look.text, lw=0.8, ls="--", label=mark.label or None)
    else:
        ax.axhline(mark.value, color=look.text, lw=0.8, ls="--", label=mark.label or None)
    return None


def _dots(ax: Axes, dots: p.Dots, panel: p.Panel, table: p.Table, look: Look) -> Any:
    x, y = table.columns[dots.x], table.columns[dots.y]
    shown = drawable(x, panel.x.scale) & drawable(y, panel.y.scale)
    if dots.by == "status":
        for status, (marker, area) in _OF_STATUS.items():
            rows = shown & (table.status == status)
            if rows.any():
                ax.plot(
                    x[rows],
                    y[rows],
                    marker,
                    ms=area**0.5,
                    mfc="none",
                    mew=0.6,
                    color=look.status[status],
                    label=p.STATUS_NAMES[status],
                    rasterized=bool(rows.sum() > FEW),
                    alpha=0.8,
                )
        return None
    small = 0.5 if panel.place is not None else 1.0
    for kind, colour, marker, label in ((0, look.unphysical, "x", "unphysical"), (1, look.bad, "o", "bad")):
        rows = shown & (table.kind == kind)
        if rows.any():
            ax.plot(
                x[rows],
                y[rows],
                marker,
                ms=2.6 * small,
                label=label,
                mew=0.5,
                color=colour,
                mfc="none",
                rasterized=bool(rows.sum() > FEW),
            )  # scatter takes ten times as long
    rows = shown & (table.kind == 2)
    if not rows.any():
        return None
    return ax.scatter(
        x[rows],
        y[rows],
        s=11.0 * small,
        c=table.nll[rows],
        cmap=PALETTE,
        linewidths=0,
        norm=Normalize(table.low, table.high),
        label="good",
        rasterized=bool(rows.sum() > FEW),
    )


def drawable(values: Floats, scale: str) -> Any:
    """Which values, shape (n,), an axis can show at all: finite, and on a logarithmic axis positive."""
    found = np.isfinite(values) & (np.abs(values) < MOST)
    return found & (values > 1.0 / MOST) if scale == "log" else found


def _cells(ax: Axes, values: Floats, look: Look) -> None:
    ax.imshow(values, cmap="PuOr", vmin=-1.0, vmax=1.0, origin="lower", aspect="auto")
    rows, columns = values.shape
    if rows * columns <= 400:
        for row in range(rows):
            for column in range(columns):
                value = values[row, column]
                if np.isfinite(value):
                    ax.text(
                        column,
                        row,
                        f"{value:.1f}".replace("-0.0", "0.0"),
                        ha="center",
                        va="center",
                        fontsize=look.size - (2.5 if columns > 8 else 1),
                        color="black" if abs(value) < 0.7 else "white",
                    )


def _legend(drawn: Figure, axes: Sequence[Axes], picture: p.Picture, look: Look) -> None:
    marks = [mark for panel in picture.panels for mark in panel.marks]
    names = next((mark.names for mark in marks if isinstance(mark, p.Regions)), ())
    found: dict[str, Any] = {
        name: Patch(facecolor=colour, edgecolor=look.text) for name, colour in zip(names, look.regions, strict=False)
    }
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        scale = 1.6 if any(label in ("bad", "good") for label in found) else 1.0
        place: Any = "upper left" if drawn.get_layout_engine() is None else "outside upper left"
        drawn.legend(found.values(), found.keys(), loc=place, ncols=4, frameon=False, markerscale=scale)
