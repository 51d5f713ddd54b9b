"""Draws pictures with matplotlib, for a page and for paper."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from proposer.show import picture as p
from proposer.show.marks import Look, draw_mark
from proposer.show.ticks import set_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def pixels(drawn: Figure, look: Look) -> Image.Image:
    """A figure as an image with few colours, which keeps a page with many images small."""
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
            beside = shown if picture.panels[0].place is None else grid[:, -1].tolist()
            where: dict[str, Any] = {"ax": beside, "shrink": 0.8, "aspect": 30}
            if alone:
                where = {"cax": drawn.add_axes((1.0 - 0.52 / size[0], 0.2, 0.07 / size[0], 0.6))}
            bar: Any = drawn.colorbar(coloured, **where, label="NLL")
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
    """Removes labels inside a triangle of panels: only the outer panels have labels."""
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
        coloured = draw_mark(ax, mark, panel, table, look) or coloured
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
        corner: Any = "upper left" if drawn.get_layout_engine() is None else "outside upper left"
        drawn.legend(found.values(), found.keys(), loc=corner, ncols=4, frameon=False, markerscale=scale)
