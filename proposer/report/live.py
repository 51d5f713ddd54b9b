"""Draws the pictures of the report with Bokeh, for zooming, hovering, and brushing. All dots of a run have
one source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from bokeh.layouts import column as column_of
from bokeh.layouts import row as row_of
from bokeh.models import ColumnDataSource, CustomJS, CustomJSTickFormatter, HoverTool, LinearColorMapper
from bokeh.models.annotations import ColorBar, Span
from bokeh.models.scales import LinearScale, LogScale
from bokeh.models.tickers import BasicTicker, CustomJSTicker
from bokeh.models.widgets import Select
from bokeh.palettes import PuOr9
from bokeh.plotting import figure

from proposer.report.dots import NUMBERED, Points
from proposer.show import picture as p
from proposer.show.marks import LIGHT, dashes_of
from proposer.types import Floats

TEXT = "#5f6b78"
"""The colour of axes before the page sets its own colours."""

CELLS = PuOr9[::-1]
"""The colours of correlations: those of the images but for the darkest, which cannot be told from a dark ground."""

STRONG = 7 / 9
"""Correlations from here on have the outermost colours, on which white words are legible."""

MOST_WORDS = 10
"""The largest number of rows of a picture whose cells show numbers."""

_TOOLS = "pan,wheel_zoom,box_zoom,reset"
_BRUSHES = "pan,wheel_zoom,box_zoom,box_select,lasso_select,reset"
_FORM = """select.bk-input { background: var(--raised); color: var(--text); border-color: var(--soft); }
label { color: var(--text); }"""
_NUMBER = """const v = Number(tick.toPrecision(12)), a = Math.abs(v)
return a && (a >= 1e5 || a < 1e-3) ? v.toExponential().replace("e+", "e") : String(v)"""
"""The label of a tick. On a logarithmic axis of less than a decade, Bokeh's own formatter would round the exponent."""

_TICKS = """const {start, end} = cb_data.range, decades = Math.log10(end / start), found = []
if (decades < 0.7) {
  const digit = 10 ** Math.floor(Math.log10((end - start) / 5))
  const step = [1, 2, 5, 10].map(m => m * digit).find(s => (end - start) / s <= 5)
  for (let k = Math.ceil(start / step); k * step <= end; k++) found.push(k * step)
} else {
  const wide = Math.ceil(decades / 6), last = Math.log10(end)
  for (let k = Math.floor(Math.log10(start) / wide) * wide; k <= last; k += wide)
    for (const m of decades < 1.5 ? [1, 2, 5] : decades < 3.5 ? [1, 3] : [1]) found.push(m * 10 ** k)
}
return found.filter(t => t >= start && t <= end)"""
"""The ticks of a logarithmic axis. Over one or two decades, Bokeh's own are evenly spaced and crowd at one end."""

_DASHES = ("solid", "dashed", "dotdash", "dotted")


class Live:
    """The Bokeh pictures of one run, with one source of points."""

    def __init__(self, table: p.Table, axes: Mapping[str, p.Side], hover: Sequence[str]) -> None:
        """`axes` are the columns for the axes by name; `hover` are the columns in the text of a point."""
        self._sides = {"NLL": p.Side("NLL", "NLL"), **axes}
        self.names = list(self._sides)
        self._points = Points(table, self.names, hover)
        self.source, self.left_out = self._points.source, self._points.left_out
        # shared by all axes: each model of Bokeh takes about a millisecond
        self._numbers, self._ticks = CustomJSTickFormatter(code=_NUMBER), CustomJSTicker(major_code=_TICKS)

    def panels(self, picture: p.Picture) -> list[Any]:
        """A figure for each panel."""
        return [self._figure(panel, k == 0) for k, panel in enumerate(picture.panels)]

    def explorer(self, x: str, y: str) -> Any:
        """A picture of any two columns, each with its unit, on the scale of its variable."""
        across, up = (replace(self._sides[name], limits=None) for name in (x, y))
        panel = p.Panel(across, up, [p.Dots(x, y)])
        drawn = self._figure(panel, True)
        drawn.aspect_ratio, drawn.height = None, 380
        best = self._points.draw_best(drawn, x, y)
        sources = [self.source] if best is None else [self.source, best]
        choices: list[Any] = [(self._points.keys[name], self._sides[name].plain) for name in self.names]
        scales = {"linear": LinearScale(), "log": LogScale()}
        tickers = {"linear": BasicTicker(desired_num_ticks=5), "log": self._ticks}
        kinds = {self._points.keys[name]: self._sides[name].scale for name in self.names}
        selects = []
        for which, name in (("x", x), ("y", y)):
            select = Select(
                title=f"{which} axis", value=self._points.keys[name], options=choices, width=160, stylesheets=[_FORM]
            )
            axis = drawn.xaxis[0] if which == "x" else drawn.yaxis[0]
            axis.ticker = tickers[self._sides[name].scale]
            code = (
                f"f.{which}_scale = scales[kinds[s.value]]; a.ticker = tickers[kinds[s.value]];"
                "for (const r of dots) for (const glyph of [r.glyph, r.nonselection_glyph]) "
                f"glyph.{which} = {{field: s.value}};"
                "a.axis_label = s.options.find(o => o[0] == s.value)[1];"
                "for (const source of sources) source.change.emit();"
            )
            known = {"dots": list(drawn.renderers), "sources": sources, "s": select, "a": axis, "f": drawn}
            known |= {"scales": scales, "tickers": tickers, "kinds": kinds}
            select.js_on_change("value", CustomJS(args=known, code=code))
            selects.append(select)
        return column_of(row_of(*selects, sizing_mode="stretch_width"), drawn, sizing_mode="stretch_width")

    def _figure(self, panel: p.Panel, bar: bool) -> Any:
        ranges: dict[str, Any] = {}
        for side, name in ((panel.x, "x"), (panel.y, "y")):
            if side.categories:
                ranges[f"{name}_range"] = _unique(side.categories)
            else:
                ranges[f"{name}_axis_type"] = side.scale
                if (limits := panel.drawn(side)) is not None:
                    ranges[f"{name}_range"] = limits
        points = any(isinstance(mark, p.Dots) for mark in panel.marks)
        drawn: Any = figure(
            sizing_mode="stretch_width",
            aspect_ratio=1 / panel.tall,
            min_height=150,
            tools=_BRUSHES if points else _TOOLS,
            active_scroll=None,
            active_drag="box_select" if points else "box_zoom",
            toolbar_location="above",
            output_backend="webgl" if points else "canvas",  # WebGL joins the parts of a contour by a line
            **ranges,
        )
        drawn.toolbar.logo = None
        drawn.xaxis.axis_label, drawn.yaxis.axis_label = panel.x.plain, panel.y.plain
        for side, axis in ((panel.x, drawn.xaxis), (panel.y, drawn.yaxis)):
            if side.categories:
                axis.major_label_text_font_size = "11px"
            else:
                axis.formatter = self._numbers
                if side.scale == "linear":
                    axis.ticker.desired_num_ticks = 5
                else:
                    axis.ticker = self._ticks
        _plain_look(drawn)
        if panel.x.categories:
            drawn.xaxis.major_label_orientation = 0.9
            drawn.grid.visible = False
        for mark in panel.marks:
            self._mark(drawn, mark, panel, bar)
        if drawn.legend:
            _legend_look(drawn)
        return drawn

    def _mark(self, drawn: Any, mark: p.Mark, panel: p.Panel, bar: bool) -> None:
        label = getattr(mark, "label", "")
        named = {"legend_label": label} if label else {}
        match mark:
            case p.Dots():
                if self._points.draw(drawn, mark) and bar:
                    drawn.add_layout(_bar(self._points.colours, "NLL"), "right")
            case p.Curve():
                style = {
                    "line_color": NUMBERED[mark.number % 4],
                    "line_dash": _DASHES[dashes_of(mark.number)],
                    "line_width": 2,
                    **named,
                }
                drawn.line(mark.x, mark.y, **style)
            case p.Regions():
                self._regions(drawn, mark)
            case p.Lone():
                colour = LIGHT.regions[min(mark.number, len(LIGHT.regions) - 1)]
                drawn.scatter(mark.x, mark.y, size=6, fill_color=colour, line_color=TEXT, **named)
            case p.Outline():
                _outline(drawn, mark)
            case p.Bars():
                start = np.zeros(len(mark.values)) if mark.start is None else mark.start
                drawn.hbar(
                    y=_unique(panel.y.categories),
                    left=start,
                    right=start + mark.values,
                    height=0.62,
                    fill_color=NUMBERED[mark.number % 4],
                    line_width=0,
                    hatch_pattern=(None, "/", ".", "x")[mark.number % 4],
                    hatch_color="white",
                    hatch_alpha=0.6,
                    **named,
                )
            case p.Spread():
                names = _unique(panel.y.categories)
                drawn.segment(
                    x0=mark.low,
                    y0=names,
                    x1=mark.high,
                    y1=names,
                    line_width=5,
                    line_color=NUMBERED[0],
                    line_alpha=0.6,
                    **named,
                )
                drawn.scatter(
                    mark.middle, names, marker="dash", angle=np.pi / 2, size=12, line_width=2, line_color=NUMBERED[0]
                )
            case p.Marks():
                y = _unique(panel.y.categories) if mark.y is None else mark.y
                drawn.scatter(mark.x, y, marker="star", size=15, fill_color=LIGHT.star, line_color="white", **named)
            case p.Cells():
                self._cells(drawn, mark.values, panel)
            case p.Rule():
                drawn.add_layout(
                    Span(
                        location=mark.value,
                        dimension="height" if mark.upright else "width",
                        line_dash=_DASHES[1 + mark.number % 3],
                        line_color=TEXT,
                    )
                )

    def _regions(self, drawn: Any, mark: p.Regions) -> None:
        colours = [*LIGHT.regions, *LIGHT.regions][: len(mark.levels)]
        drawn.contour(
            mark.x,
            mark.y,
            mark.z,
            levels=[-1.0, *mark.levels],
            fill_color=colours,
            fill_alpha=0.85,
            line_color=[TEXT] * (len(mark.levels) + 1),
        )

    def _cells(self, drawn: Any, values: Floats, panel: p.Panel) -> None:
        rows, columns = np.nonzero(np.isfinite(values))
        x, y = _unique(panel.x.categories), _unique(panel.y.categories)
        found = values[rows, columns]
        colour = LinearColorMapper(palette=CELLS, low=-1.0, high=1.0)
        data: dict[str, Any] = {"x": [x[k] for k in columns], "y": [y[k] for k in rows], "value": found}
        data |= {"words": [f"{value:.1f}".replace("-0.0", "0.0") for value in found.tolist()]}
        source = ColumnDataSource(data | {"ink": np.where(np.abs(found) < STRONG, "black", "white").tolist()})
        made = drawn.rect(
            "x", "y", 0.96, 0.96, source=source, line_width=0, fill_color={"field": "value", "transform": colour}
        )
        if len(x) <= MOST_WORDS:
            drawn.text(
                "x",
                "y",
                "words",
                source=source,
                text_color="ink",
                text_align="center",
                text_baseline="middle",
                text_font_size="11px",
            )
        drawn.add_tools(HoverTool(renderers=[made], tooltips=[("", "@x and @y: @value{+0.00}")]))
        drawn.add_layout(_bar(colour, "correlation"), "right")


def _outline(drawn: Any, mark: p.Outline) -> None:
    colour, dashes = NUMBERED[mark.number % 4], _DASHES[dashes_of(mark.number)]
    drawn.contour(
        mark.x,
        mark.y,
        mark.z,
        levels=[-1.0, mark.level],
        fill_color=colour,
        fill_alpha=0.18,
        line_color=colour,
        line_width=2,
        line_dash=dashes,
    )
    marker = ("square", "triangle", "diamond", "inverted_triangle")[mark.number % 4]
    drawn.scatter(*mark.lone, marker=marker, size=5, fill_alpha=0.0, line_color=colour)
    drawn.scatter(*map(np.atleast_1d, mark.best), marker="star", size=15, fill_color=colour, line_color="white")
    drawn.line([np.nan], [np.nan], line_color=colour, line_dash=dashes, line_width=2, legend_label=mark.label)


def _bar(colours: LinearColorMapper, title: str) -> ColorBar:
    return ColorBar(
        color_mapper=colours,
        title=title,
        width=8,
        padding=4,
        major_label_text_color=TEXT,
        title_text_color=TEXT,
        background_fill_alpha=0.0,
        major_label_text_font_size="11px",
    )


def _unique(names: Sequence[str]) -> list[str]:
    """Makes names unique, because Bokeh identifies categories by their names."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _plain_look(drawn: Any) -> None:
    drawn.background_fill_alpha = drawn.border_fill_alpha = 0.0
    drawn.outline_line_color = None
    for axis in (*drawn.xaxis, *drawn.yaxis):
        axis.axis_label_text_color = axis.major_label_text_color = TEXT
        axis.axis_label_text_font_style = "normal"
        axis.axis_line_color = axis.major_tick_line_color = TEXT
        axis.minor_tick_line_color = None
    drawn.grid.grid_line_color, drawn.grid.grid_line_alpha = TEXT, 0.15


def _legend_look(drawn: Any) -> None:
    legend = drawn.legend[0]
    legend.background_fill_alpha = 0.0
    legend.border_line_color = None
    legend.label_text_font_size = "11px"
    legend.label_text_color = TEXT
    legend.orientation = "horizontal"
    legend.margin, legend.padding = 0, 2
    drawn.add_layout(legend, "above")
