"""Draws the points of a run with Bokeh. All pictures share one source, so a point marked in one is marked in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import CDSView, ColumnDataSource, HoverTool, LinearColorMapper
from bokeh.models.filters import GroupFilter
from bokeh.palettes import Viridis256

from proposer.formats import plain
from proposer.show import picture as p
from proposer.show.marks import LIGHT
from proposer.types import Status

NUMBERED = ("#2f81d6", "#c4641a", "#128a6b", "#a85a97")
"""Colours that are clear on light and on dark ground."""

BUDGET = 5_000_000
"""The largest size of a run's points in the page, in bytes."""

_BYTES = 16 / 3  # length of a number in single precision, in base64


@dataclass(frozen=True)
class Sign:
    """How points are drawn. Without a colour, they have that of their NLL. The page gives those with a name other
    colours on dark ground.
    """

    marker: str
    colour: str = ""
    size: int = 5
    filled: bool = False
    name: str = ""


SIGNS: Mapping[str, Mapping[int, Sign]] = {
    "NLL": {
        0: Sign("x", LIGHT.unphysical, name="unphysical"),
        1: Sign("circle", LIGHT.bad, name="bad"),
        2: Sign("circle", filled=True),
    },
    "status": {
        Status.INVALID: Sign("x", LIGHT.bad, 6),
        Status.FAILED: Sign("triangle", "#d9452b", 7),
        Status.TIMED_OUT: Sign("square", NUMBERED[3], 6),
        Status.OK: Sign("circle", NUMBERED[0], 4, filled=True),
    },
}
"""The signs of unphysical, bad and good points, and of each status, in the order of drawing. They differ in form, not
in colour alone.
"""


class Points:
    """The points of one run: their `source`, and the number of those that are `left_out` of it."""

    def __init__(self, table: p.Table, names: Sequence[str], hover: Sequence[str]) -> None:
        """`names` are columns for axes, and `hover` those in the text of a point."""
        most = int(BUDGET / (_BYTES * (len(names) + 2)))
        rows = np.arange(len(table.kind))
        self.left_out = max(len(rows) - most, 0)
        if self.left_out:  # bad points are left out first; the remaining good and bad points are evenly chosen
            others, good = rows[table.kind < 2], rows[table.kind == 2]
            kept = min(len(good), max(most - len(others), most * 2 // 3))
            rows = np.concatenate([_thin(others, most - kept), _thin(good, kept)])
        self.keys = {name: f"c{k}" for k, name in enumerate(names)}
        best = table.best
        self._best = None if best is None else {name: float(table.columns[name][best]) for name in names}
        groups = {"NLL": table.kind[rows], "status": table.status[rows]}
        data: dict[str, Any] = {self.keys[name]: table.columns[name][rows].astype(np.float32) for name in names}
        data |= {name: values.astype(np.uint8) for name, values in groups.items()}
        self.source = ColumnDataSource(data | {"id": table.ids[rows].astype(np.int32)})
        self._views = {
            (by, value): CDSView(filter=GroupFilter(column_name=by, group=value))
            for by, signs in SIGNS.items()
            for value in signs
            if (groups[by] == value).any()
        }
        self.colours = LinearColorMapper(
            name="NLL", palette=Viridis256, low=float(table.low), high=float(table.high), high_color=Viridis256[-1]
        )
        shown = [name for name in hover if name in self.keys][:16]
        words = [(plain(name).replace("@", "").replace("{", ""), f"@{self.keys[name]}") for name in shown]
        self._hover = [("point", "@id"), *((label, f"{key}{{%0.5g}}") for label, key in words)]
        self._formats: Any = {key: "printf" for _, key in words}

    def draw(self, drawn: Any, dots: p.Dots) -> bool:
        """Draws the points into a figure. Returns whether any are coloured by NLL."""
        found = [value for value in SIGNS[dots.by] if (dots.by, value) in self._views]
        made = [self._draw_one(drawn, dots, value) for value in found]
        drawn.add_tools(
            HoverTool(
                renderers=made,
                tooltips=self._hover,
                formatters=self._formats,
                mode="mouse",
                point_policy="snap_to_data",
                attachment="horizontal",
                limit=1,
            )
        )
        return dots.by == "NLL" and 2 in found

    def draw_best(self, drawn: Any, x: str, y: str) -> ColumnDataSource | None:
        """Draws a star at the best point in two columns, from a source of its own, so that a selection does not fade
        it; None if there is no best point.
        """
        if self._best is None:
            return None
        source = ColumnDataSource({self.keys[name]: [value] for name, value in self._best.items()})
        style: dict[str, Any] = {"marker": "star", "size": 15, "fill_color": LIGHT.star, "line_color": "white"}
        drawn.scatter(self.keys[x], self.keys[y], source=source, name="best", **style)
        return source

    def _draw_one(self, drawn: Any, dots: p.Dots, value: int) -> Any:
        """Draws the points of one status, or of one kind: good, bad or unphysical."""
        sign = SIGNS[dots.by][value]
        colour: Any = sign.colour or {"field": self.keys["NLL"], "transform": self.colours}
        named = {"legend_label": p.STATUS_NAMES[value]} if dots.by == "status" else {}
        return drawn.scatter(
            self.keys[dots.x],
            self.keys[dots.y],
            source=self.source,
            view=self._views[dots.by, value],
            name=sign.name or None,
            marker=sign.marker,
            size=sign.size,
            fill_color=colour,
            fill_alpha=0.85 if sign.filled else 0.0,
            line_color=colour,
            line_alpha=0.0 if sign.filled else 1.0,
            nonselection_fill_alpha=0.06 if sign.filled else 0.0,
            nonselection_line_alpha=0.0 if sign.filled else 0.1,
            **named,
        )


def _thin(rows: np.ndarray, most: int) -> np.ndarray:
    """An evenly spaced selection in the same order."""
    return rows if len(rows) <= most else rows[np.unique(np.linspace(0, len(rows) - 1, max(most, 0)).astype(np.int64))]
