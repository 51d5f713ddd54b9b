"""Draws the marks of pictures with matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_hex
from numpy.typing import NDArray

from proposer.show import picture as p
from proposer.types import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW = 500
"""More dots than this are drawn as one bitmap within a vector picture, to keep the file small."""

MANY = 10_000
"""More good dots than this are drawn in steps of their colours."""

STEPS = 64
"""The number of these steps."""

STRONG = 0.63
"""Correlations stronger than this have dark colours, so their numbers are white."""

MOST = 1e100
"""Larger values are not physical, and matplotlib's transformations overflow near the largest double."""


@dataclass(frozen=True)
class Theme:
    """Colours of a picture: background, text, lines behind the points, dots that are not good, categories, regions."""

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


# Okabe and Ito's colours, which colour-blind people can distinguish, made darker for a light background.
LIGHT = Theme(
    "#ffffff",
    "#1b1f24",
    line="#d5dae0",
    unphysical="#868f9a",
    bad="#6f7b89",
    numbered=("#0b5cad", "#b34700", "#00705a", "#8a3a78"),
    regions=("#2f6fb3", "#a9cbea"),
    status=("", "#0b5cad", "#6f7b89", "#c7361b", "#8a3a78"),
    star="#d0021b",
)
PAPER = Theme(
    "#ffffff",
    "#000000",
    line="#d9d9d9",
    unphysical="#8c8c8c",
    bad="#7a7a7a",
    numbered=LIGHT.numbered,
    regions=LIGHT.regions,
    status=LIGHT.status,
    star=LIGHT.star,
    size=8.0,
    dpi=300.0,
)

DASHES = ("-", "--", "-.", ":")
PALETTE = "viridis"
"""The colour map of the NLL. The lowest NLL is darkest, and the order is visible in grey, too."""

_OF_STATUS = {2: ("x", 9.0), 3: ("^", 14.0), 4: ("s", 12.0), 1: (".", 6.0)}  # marker and area, in this order


def draw_mark(ax: Axes, mark: p.Mark, panel: p.Panel, table: p.Table | None, theme: Theme) -> Any:
    """Draws one mark. Returns what a colour bar needs if the mark is coloured by NLL, else None."""
    match mark:
        case p.Dots():
            assert table is not None
            return _dots(ax, mark, panel, table, theme)
        case p.Regions():
            shades = shades_of(theme, len(mark.levels))
            ax.contourf(mark.x, mark.y, mark.z, levels=[-1.0, *mark.levels], colors=shades, antialiased=True)
            ax.contour(
                mark.x,
                mark.y,
                mark.z,
                levels=list(mark.levels),
                colors=theme.text,
                linewidths=0.6,
                linestyles=list(DASHES[: len(mark.levels)]),
            )
        case p.Lone():
            levels = next((len(other.levels) for other in panel.marks if isinstance(other, p.Regions)), 1)
            colour = shades_of(theme, levels)[mark.number]
            ax.plot(mark.x, mark.y, "o", ms=3.2, mfc=colour, mec=theme.text, mew=0.4, label=mark.label or None)
        case p.Outline():
            _outline(ax, mark, theme)
        case p.Curve():
            style = {"color": theme.numbered[mark.number % 4], "ls": DASHES[dashes_of(mark.number)], "lw": 1.4}
            ax.plot(mark.x, mark.y, label=mark.label or None, **style)  # type: ignore[arg-type]
        case p.Bars():
            hatch = ("", "////", "....", "xxxx")[mark.number % 4]
            ax.barh(
                np.arange(len(mark.values)),
                mark.values,
                left=mark.start,
                height=0.62,
                hatch=hatch,
                color=theme.numbered[mark.number % 4],
                edgecolor=theme.ground,
                linewidth=0.4,
                label=mark.label or None,
            )
        case p.Spread():
            rows = np.arange(len(mark.low))
            ax.hlines(rows, mark.low, mark.high, color=theme.numbered[0], linewidth=4.0, alpha=0.55, label=mark.label)
            ax.plot(mark.middle, rows, "|", color=theme.numbered[0], markersize=8.0, markeredgewidth=1.6)
        case p.Marks():
            y = np.arange(len(mark.x)) if mark.y is None else mark.y
            ax.plot(
                mark.x,
                y,
                "*",
                color=theme.star,
                markersize=9.0,
                markeredgecolor=theme.ground,
                markeredgewidth=0.5,
                label=mark.label or None,
                linestyle="none",
                zorder=5,
                clip_on=True,
            )
        case p.Cells():
            _cells(ax, mark.values, theme)
        case p.Rule(upright=True):
            ax.axvline(mark.value, color=theme.text, lw=0.8, ls=DASHES[1 + mark.number % 3], label=mark.label or None)
        case p.Rule():
            ax.axhline(mark.value, color=theme.text, lw=0.8, ls=DASHES[1 + mark.number % 3], label=mark.label or None)
    return None


def shades_of(theme: Theme, levels: int) -> list[str]:
    """The colours of so many levels of regions, from that of the innermost to that of the outermost."""
    colours = LinearSegmentedColormap.from_list("", theme.regions)
    return [to_hex(colours(k / max(levels - 1, 1))) for k in range(levels)]


def _dots(ax: Axes, dots: p.Dots, panel: p.Panel, table: p.Table, theme: Theme) -> Any:
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
                    color=theme.status[status],
                    label=p.STATUS_NAMES[status],
                    rasterized=bool(rows.sum() > FEW),
                    alpha=0.8,
                    zorder=2.0 if rows.sum() > FEW else 2.1,  # few on top of many
                )
        return None
    small = 0.5 if panel.grid_cell is not None else 1.0
    for kind, colour, marker, label in ((0, theme.unphysical, "x", "unphysical"), (1, theme.bad, "o", "bad")):
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
                zorder=1.5,  # below the good ones
            )  # scatter takes ten times as long
    rows = np.flatnonzero(shown & (table.kind == 2))
    if not len(rows):
        return None
    norm, area = Normalize(table.low, table.high), 11.0 * small
    ax.plot([], [], "o", ms=area**0.5, mew=0, color=theme.text, label="good")  # the legend: no NLL stands for all
    if len(rows) > MANY:
        return _coloured(ax, x[rows], y[rows], table.nll[rows], norm=norm, area=area)
    return ax.scatter(
        x[rows],
        y[rows],
        s=area,
        c=table.nll[rows],
        cmap=PALETTE,
        linewidths=0,
        norm=norm,
        rasterized=len(rows) > FEW,
        zorder=2.5,
    )


def _coloured(ax: Axes, x: Floats, y: Floats, nll: Floats, *, norm: Normalize, area: float) -> ScalarMappable:
    """Draws many dots, shape (n,), in steps of their colours, which takes a tenth of the time of a scatter plot."""
    colours = ScalarMappable(norm, PALETTE)
    step = np.clip(norm(nll) * STEPS, 0, STEPS - 1).astype(np.int64)
    for number in np.unique(step)[::-1].tolist():  # the lowest NLL on top
        here = step == number
        colour = colours.get_cmap()((number + 0.5) / STEPS)
        ax.plot(x[here], y[here], "o", ms=area**0.5, mew=0, color=colour, rasterized=True, zorder=2.5)
    return colours


def _outline(ax: Axes, mark: p.Outline, theme: Theme) -> None:
    colour, dashes = theme.numbered[mark.number % 4], DASHES[dashes_of(mark.number)]
    ax.contourf(mark.x, mark.y, mark.z, levels=[-1.0, mark.level], colors=[colour], alpha=0.18)
    ax.contour(mark.x, mark.y, mark.z, levels=[mark.level], colors=[colour], linewidths=1.3, linestyles=[dashes])
    ax.plot(*mark.lone, "s^Dv"[mark.number % 4], ms=2.4, mfc="none", mew=0.7, color=colour)
    ax.plot(*mark.best, "*", color=colour, ms=10.0, mec=theme.ground, mew=0.6, zorder=5)
    ax.plot([], [], color=colour, ls=dashes, lw=1.3, label=mark.label)  # for the legend


def dashes_of(number: int) -> int:
    """Dashes for the number of a run, so that the first 16 runs differ in colour or dashes, and the first 4 in both."""
    return (number + number // 4) % 4


def drawable(values: Floats, scale: str) -> NDArray[np.bool_]:
    """Whether an axis can show each value, shape (n,): finite, and positive on a logarithmic axis."""
    found: NDArray[np.bool_] = np.isfinite(values) & (np.abs(values) < MOST)
    return found & (values > 1.0 / MOST) if scale == "log" else found


def _cells(ax: Axes, values: Floats, theme: Theme) -> None:
    rows, columns = values.shape
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    ax.pcolormesh(*edges, values, cmap="PuOr", vmin=-1.0, vmax=1.0)  # as an image it takes ten times as long
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
                        fontsize=theme.size - (2.5 if columns > 8 else 1),
                        color="black" if abs(value) < STRONG else "white",
                    )
