"""Draws pictures with matplotlib, for a page and for paper."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from PIL import Image

from proposer.show import picture as p
from proposer.show.bitmap import dots_as_bitmaps
from proposer.show.marks import Theme, draw_mark, shades_of
from proposer.show.ticks import set_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Drawing:
    """A figure. `tiles`: left, top, width and height, in inches from the upper left corner, of parts that can stand
    alone.
    """

    figure: Figure
    tiles: Sequence[tuple[float, float, float, float]]


def pixels(drawing: Drawing, dpi: float) -> Image.Image:
    """The figure as an image."""
    drawing.figure.set_dpi(dpi)
    canvas: Any = FigureCanvasAgg(drawing.figure)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def cut(image: Image.Image, drawing: Drawing, dpi: float) -> list[Image.Image]:
    """The tiles at `dpi` pixels per inch, with few colours, to keep a page with many images small."""
    dense = image.width / drawing.figure.get_figwidth()
    found = []
    for left, top, width, height in drawing.tiles:
        right, bottom = min((left + width) * dense, image.width), min((top + height) * dense, image.height)
        box = left * dense, top * dense, right, bottom
        size = round(width * dpi), round(height * dpi)
        small = image.resize(size, Image.Resampling.HAMMING, box=box)
        found.append(small.quantize(128, method=Image.Quantize.FASTOCTREE))
    return found


def png(image: Image.Image, dpi: float) -> bytes:
    """The content of a PNG file of the image."""
    file = io.BytesIO()
    image.save(file, format="PNG", dpi=(dpi, dpi), compress_level=4)
    return file.getvalue()


def rendered(drawn: Figure, kind: str, theme: Theme) -> bytes:
    """The content of a file of that kind, without dates, so that the same run gives the same file."""
    file = io.BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # warnings of matplotlib about its layout and about glyphs that a font lacks
        drawn.savefig(file, format=kind, dpi=theme.dpi, metadata=dates.get(kind), facecolor=drawn.get_facecolor())
    return file.getvalue()


def figure(picture: p.Picture, theme: Theme) -> Drawing:
    """The figure of a picture. Each panel is a tile with its own legend and colour bar, so that it can stand alone.

    Panels with a `grid_cell` share one legend, one colour bar, and the labels of the outer panels.
    """
    rows, columns, cells = _grid(picture)
    is_grid = picture.panels[0].grid_cell is not None
    tile_width = (2.9 if columns <= 3 else 1.9 if columns <= 6 else 1.4) if is_grid else max(map(_wide, picture.panels))
    tall = tile_width * max(panel.tall for panel in picture.panels)
    tile = (tile_width, tall) if is_grid else (tile_width, tall + 0.3)
    edge = _EDGE if is_grid else (0.0, 0.0, 0.0, 0.0)
    size = edge[0] + tile[0] * columns + edge[2], edge[1] + tile[1] * rows + edge[3]
    settings: dict[Any, Any] = {
        "svg.hashsalt": "lodescan",
        "pdf.fonttype": 42,
        "font.size": theme.size,
        "legend.fontsize": theme.size - 1,
        "text.color": theme.text,
        "axes.labelcolor": theme.text,
        "axes.edgecolor": theme.text,
        "axes.facecolor": theme.ground,
        "figure.facecolor": theme.ground,
        "xtick.color": theme.text,
        "ytick.color": theme.text,
        "axes.titlesize": theme.size,
        "legend.labelcolor": theme.text,
        "axes.linewidth": 0.6,
        "mathtext.fontset": "dejavusans",
    }
    with mpl.rc_context(settings), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        drawn = Figure(figsize=size)
        tiles, axes, coloured = [], [], None
        for panel, (row, column) in zip(picture.panels, cells, strict=True):
            corner = edge[0] + column * tile[0], size[1] - edge[3] - (row + 1) * tile[1]  # lower left, in inches
            left, bottom, right, top = _GAP if is_grid else _margins(panel, _coloured(panel))
            inside = corner[0] + left, corner[1] + bottom, tile[0] - left - right, tile[1] - bottom - top
            ax = drawn.add_axes(_share(inside, size))
            found = _panel(ax, panel, picture.table, theme)
            if is_grid:
                _trim(ax, row < rows - 1, column > 0)
                coloured = found or coloured
            else:
                _legend(drawn, [ax], [panel], theme, _share((*corner, *tile), size))
                _bar(drawn, found, (corner[0] + tile[0] - 0.52, corner[1] + 0.25 * tile[1], 0.07, 0.5 * tile[1]))
            axes.append(ax)
            tiles.append((column * tile[0], row * tile[1], *tile))
        if is_grid:
            _legend(drawn, axes, picture.panels, theme, (0.0, 0.0, 1.0, 1.0))
            _bar(drawn, coloured, (size[0] - 0.5, 0.2 * size[1], 0.07, 0.6 * size[1]))
        dots_as_bitmaps(drawn, theme.dpi)
    return Drawing(drawn, [(0.0, 0.0, *size)] if is_grid else tiles)


_EDGE = 0.75, 0.7, 0.65, 0.3
_GAP = 0.05, 0.05, 0.05, 0.05
"""Margins (left, bottom, right, top) in inches around all panels that share labels, and around each of them."""


def _wide(panel: p.Panel) -> float:
    """The width of a tile in inches, with room for its names and for a number in each of its cells."""
    left, _, right, _ = _margins(panel, _coloured(panel))
    return max(left + max(2.3, min(0.3 * len(panel.x.categories), 5.0)) + right, 3.1)


def _coloured(panel: p.Panel) -> bool:
    return any(isinstance(mark, p.Dots) and mark.by == "NLL" for mark in panel.marks)


def _share(inches: tuple[float, float, float, float], size: tuple[float, float]) -> tuple[float, float, float, float]:
    """Converts left, bottom, width and height in inches to fractions of the figure."""
    return inches[0] / size[0], inches[1] / size[1], inches[2] / size[0], inches[3] / size[1]


def _bar(drawn: Figure, coloured: Any, inches: tuple[float, float, float, float]) -> None:
    """Draws a colour bar of the NLL there, if anything is coloured."""
    if coloured is not None:
        box = _share(inches, (drawn.get_figwidth(), drawn.get_figheight()))
        bar: Any = drawn.colorbar(coloured, cax=drawn.add_axes(box))
        bar.ax.set_title("NLL")
        bar.outline.set_visible(False)
        bar.locator = MaxNLocator(nbins=4)


def _margins(panel: p.Panel, coloured: bool) -> tuple[float, float, float, float]:
    """Margins (left, bottom, right, top) of a tile in inches, estimated for its labels, because measuring them takes
    seconds.
    """
    longest = max((len(name) for name in panel.y.categories), default=6)
    below = max((len(name) for name in panel.x.categories), default=0)
    left = 0.28 + 0.075 * longest + 0.2 * bool(panel.y.label) if panel.y.categories else 0.7
    bottom = min(0.25 + 0.055 * below, 1.3) if below else 0.45
    return min(3.3, left), bottom, 0.62 if coloured else 0.14, 0.47 if panel.title else 0.3


def _grid(picture: p.Picture) -> tuple[int, int, list[tuple[int, int]]]:
    if all(panel.grid_cell is not None for panel in picture.panels):
        cells = [panel.grid_cell or (0, 0) for panel in picture.panels]
        return max(row for row, _ in cells) + 1, max(column for _, column in cells) + 1, cells
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


def _panel(ax: Axes, panel: p.Panel, table: p.Table | None, theme: Theme) -> Any:
    """Draws one panel; returns what a colour bar needs, if anything is coloured by NLL."""
    for side, name in ((panel.x, "x"), (panel.y, "y")):
        getattr(ax, f"set_{name}label")(side.label)
        if side.categories:
            getattr(ax, f"set_{name}ticks")(range(len(side.categories)), side.categories)
        else:
            getattr(ax, f"set_{name}scale")(side.scale)
        if (limits := panel.drawn(side)) is not None:
            getattr(ax, f"set_{name}lim")(*limits)
    ax.set_title(panel.title, y=1.0, parse_math=False)  # without y, each drawing would look for a free position
    coloured = None
    for mark in panel.marks:
        coloured = draw_mark(ax, mark, panel, table, theme) or coloured
    if not (panel.x.categories or panel.y.categories):
        set_ticks(ax, 4 if panel.grid_cell is not None else 5)
    elif panel.x.categories:
        ax.tick_params(axis="x", rotation=45)
        for label in ax.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
    else:
        ax.set_ylim(-0.6, len(panel.y.categories) - 0.4)
    return coloured


def _legend(
    drawn: Figure, axes: Sequence[Axes], panels: Sequence[p.Panel], theme: Theme, box: tuple[float, float, float, float]
) -> None:
    """Draws a legend in the upper left corner of `box`, given in fractions of the figure."""
    marks = [mark for panel in panels for mark in panel.marks]
    names = next((mark.names for mark in marks if isinstance(mark, p.Regions)), ())
    found: dict[str, Any] = {
        name: Patch(facecolor=colour, edgecolor=theme.text)
        for name, colour in zip(names, shades_of(theme, len(names)), strict=True)
    }
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        scale = 1.6 if any(label in ("bad", "good") for label in found) else 1.0
        drawn.legend(
            found.values(),
            found.keys(),
            loc="upper left",
            bbox_to_anchor=box,
            borderaxespad=0.2,
            ncols=4,
            frameon=False,
            markerscale=scale,
            columnspacing=1.0,
            handletextpad=0.4,
        )
