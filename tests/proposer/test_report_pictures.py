"""The pictures of the report: their axes, and how Bokeh draws them."""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from bokeh.models.annotations import ColorBar
from bokeh.models.glyphs import Text
from bokeh.models.renderers import ContourRenderer, GlyphRenderer
from bokeh.models.widgets import Select
from matplotlib.figure import Figure

from proposer.report import pairs, physics, profile_nll, search
from proposer.report import seen as seen_module
from proposer.report.axes import discrete, side, table_of
from proposer.report.live import MOST_WORDS, Live
from proposer.report.seen import Seen, see
from proposer.show import marks
from proposer.show.bitmap import dots_as_bitmaps
from proposer.show.marks import PAPER
from proposer.show.picture import Bars, Cells, Curve, Dots, Lone, Marks, Panel, Picture, Regions, Side
from proposer.show.still import Drawing, figure, pixels
from proposer.target import height
from proposer.types import Status
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return see(make_run(tmp_path_factory.mktemp("pictures") / "run", 500))


@pytest.fixture(scope="module")
def live(seen: Seen) -> Live:
    return Live(table_of(seen), {name: Side() for name in ("x", "mass", "phase", "radius")}, [])


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("part", [1.0, 0.3])
def test_the_axes_hold_the_whole_region_or_end_at_the_range(
    seen: Seen, scale: Literal["linear", "log"], part: float
) -> None:
    """The axes first show some part of the good points around the best one."""
    variable = next(variable for variable in seen.scan.variables if variable.name == "mass")
    low, high = variable.low, variable.high
    best, whole = seen.columns["mass"][seen.best], side(seen, "mass", zoom=True).limits
    assert whole is not None
    first, last = (
        float(best * (end / best) ** part if scale == "log" else best + part * (end - best)) for end in whole
    )
    across = Side("mass", "mass", scale, (first, last))
    panel = profile_nll.region_panel(
        seen, "mass", "x", across=across, up=side(seen, "x", zoom=True), levels=(0.68, 0.95)
    )
    assert panel is not None and panel.x.limits is not None
    (regions,) = [mark for mark in panel.marks if isinstance(mark, Regions)]
    inside = regions.z < height(0.95, 2)
    assert inside.any()
    for column, end, furthest in ((0, panel.x.limits[0], low), (-1, panel.x.limits[1], high)):
        assert not inside[:, column].any() or end == pytest.approx(furthest)
    assert regions.x[[0, -1]] == pytest.approx(panel.x.limits), "the region would end before the axis"


def test_webgl_draws_only_dots(seen: Seen, live: Live) -> None:
    """WebGL would join the parts of a contour by straight lines."""
    contours = 0
    for part in (pairs.pairs(seen, table_of(seen)), profile_nll.profiles(seen), physics.correlations(seen)):
        for picture in part.pictures:
            for drawn in live.panels(picture):
                shared = any(getattr(made, "data_source", None) is live.source for made in drawn.renderers)
                contours += sum(isinstance(made, ContourRenderer) for made in drawn.renderers)
                assert drawn.output_backend == ("webgl" if shared else "canvas")
    assert contours


@pytest.mark.parametrize("names", [4, MOST_WORDS + 1])
def test_a_correlation_is_written_as_a_number_if_there_is_room(live: Live, names: int) -> None:
    values = np.where(np.tri(names, k=-1, dtype=np.bool_), -0.04, np.nan)
    values[1, 0] = -0.96
    labels = [f"v{k}" for k in range(names)]
    panel = Panel(Side(categories=labels), Side(categories=labels), [Cells(values)])
    (drawn,) = live.panels(Picture("c", "", [panel], ""))
    texts = [made for made in drawn.renderers if isinstance(made, GlyphRenderer) and isinstance(made.glyph, Text)]
    if names > MOST_WORDS:
        assert texts == []
        return
    data = getattr(texts[0].data_source, "data")  # noqa: B009
    assert list(data["words"]) == ["-1.0", "0.0", "0.0", "0.0", "0.0", "0.0"]
    assert list(data["ink"]) == ["white"] + ["black"] * 5


def test_the_star_of_a_profile_is_not_cut_off(seen: Seen) -> None:
    (profiles,) = [picture for picture in profile_nll.profiles(seen).pictures if picture.name == "profiles"]
    assert profiles.panels
    for panel in profiles.panels:
        assert panel.y.limits is not None and panel.y.limits[0] < -0.03 * panel.y.limits[1]


@pytest.fixture(scope="module")
def stepped(seen: Seen) -> Seen:
    """The run as if its phase could be a quarter or its multiples alone."""
    index = [variable.name for variable in seen.scan.variables].index("phase")
    values = (0.5, 0.0, 0.25, 0.75, 1.0)
    variables = list(seen.scan.variables)
    variables[index] = replace(variables[index], values=values)
    params = seen.params.copy()
    params[:, index] = np.round(4 * params[:, index]) / 4
    return replace(seen, scan=replace(seen.scan, variables=tuple(variables)), params=params)


def test_the_profile_of_discrete_values_has_a_line_at_each(stepped: Seen) -> None:
    """A step between empty bins would not be a line at all."""
    (profiles,) = [picture for picture in profile_nll.profiles(stepped).pictures if picture.name == "profiles"]
    (panel,) = [panel for panel in profiles.panels if panel.x.plain == "phase"]
    curve = panel.marks[0]
    assert isinstance(curve, Curve)
    assert panel.x.limits == (-0.125, 1.125), "with room for dots on the first and the last value"
    assert curve.x.tolist() == [-0.125, 0.125, 0.125, 0.375, 0.375, 0.625, 0.625, 0.875, 0.875, 1.125]
    at = stepped.columns["phase"]
    least = [float(np.nanmin(stepped.nll[(at == value) & stepped.ok])) for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert curve.y == pytest.approx(np.repeat(np.array(least) - float(stepped.nll[stepped.best]), 2))


def test_discrete_values_have_no_contour(stepped: Seen) -> None:
    across, up = side(stepped, "phase", zoom=True), side(stepped, "x", zoom=True)
    panel = profile_nll.region_panel(stepped, "phase", "x", across=across, up=up, levels=(0.68, 0.95))
    assert panel is not None
    (regions,) = [mark for mark in panel.marks if isinstance(mark, Regions)]
    drawn = np.concatenate([mark.x for mark in panel.marks if isinstance(mark, Lone)])
    assert regions.z.min() > height(0.95, 2) and set(drawn) == {0.0, 0.25, 0.5, 0.75, 1.0}


def test_discrete_values_have_no_contour_even_if_all_points_lie_together(stepped: Seen) -> None:
    """Every point is in the one region then."""
    alike = replace(
        stepped,
        params=np.tile(stepped.params[:1], (len(stepped.ids), 1)),
        nll=np.zeros(len(stepped.ids)),
        status=np.full_like(stepped.status, Status.OK),
    )
    across, up = side(alike, "phase", zoom=False), side(alike, "x", zoom=False)
    panel = profile_nll.region_panel(alike, "phase", "x", across=across, up=up, levels=(0.68, 0.95))
    assert panel is not None
    (regions,) = [mark for mark in panel.marks if isinstance(mark, Regions)]
    assert regions.z.min() > height(0.95, 2) and any(isinstance(mark, Lone) for mark in panel.marks)


@pytest.mark.parametrize(("high", "count"), [(9_999, 10_000), (10_000, 0), (10**7, 0)])
def test_whole_numbers_of_a_wide_range_are_drawn_like_a_continuum(seen: Seen, high: int, count: int) -> None:
    """A list of 10^9 values, for each panel, would take the memory of the machine."""
    variables = [
        replace(variable, low=0.0, high=float(high), integer=True) if variable.name == "phase" else variable
        for variable in seen.scan.variables
    ]
    wide = replace(seen, scan=replace(seen.scan, variables=tuple(variables)))
    tracemalloc.start()
    try:
        assert len(discrete(wide, "phase")) == count
        limits = side(wide, "phase", zoom=False).limits
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert limits == ((-0.5, high + 0.5) if count else (0.0, high))


def test_where_no_point_is_good_none_is_coloured(seen: Seen) -> None:
    none = replace(seen, record=replace(seen.record, target=replace(seen.record.target, threshold=1e-9)))
    table = table_of(none)
    assert (table.kind < 2).all() and table.high <= np.nanmin(table.nll)
    part = pairs.pairs(none, table)
    assert part.words[0].startswith("No point is good.") and search.fall(none) == []
    (picture,) = [picture for picture in part.pictures if picture.lively]
    assert "around the good points" not in picture.caption
    for drawn in Live(table, {name: Side() for name in ("x", "mass", "phase")}, []).panels(picture):
        assert not [made for made in drawn.right if isinstance(made, ColorBar)]


@pytest.mark.parametrize("by", ["NLL", "status"])
def test_points_of_another_kind_have_another_sign(by: Literal["NLL", "status"], seen: Seen, live: Live) -> None:
    kinds = {"NLL": np.where(seen.good, 2, seen.ok), "status": seen.status}[by]
    panel = Panel(Side(), Side(), [Dots("x", "mass", by)])
    (drawn,) = live.panels(Picture("dots", "", [panel]))
    signs = {(made.glyph.marker, made.glyph.fill_alpha > 0) for made in drawn.renderers}
    assert len(signs) == len(drawn.renderers) == len(np.unique(kinds)) == 3
    assert {made.data_source for made in drawn.renderers} == {live.source}
    assert bool(drawn.legend) == (by == "status")  # the colours of the NLL have a bar


@pytest.mark.parametrize("dpi", [100.0, 150.0])
def test_dots_as_a_bitmap_look_as_they_would_as_themselves(dpi: float) -> None:
    def image(*, as_bitmaps: bool) -> np.ndarray:
        figure = Figure(figsize=(3, 2))
        ax = figure.add_axes((0.21, 0.23, 0.71, 0.59))
        x, y = np.random.default_rng(0).normal(size=(2, 300))
        ax.plot(x, y, "o", mfc="none", rasterized=True, zorder=1.5)
        ax.scatter(y, x, c=x, alpha=0.5, rasterized=True, zorder=2.5)
        ax.plot(x[:9], y[:9], "s", color="red", zorder=3)
        if as_bitmaps:
            dots_as_bitmaps(figure, dpi)
            assert not [one for one in ax.get_children() if one.get_rasterized()]
        found: np.ndarray = np.asarray(pixels(Drawing(figure, []), dpi)).astype(np.int64)
        return found

    expected, found = image(as_bitmaps=False), image(as_bitmaps=True)
    assert (expected < 200).any() and np.abs(found - expected).max() <= 8


def test_many_dots_have_the_colours_of_their_nll(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(seen)
    panel = Panel(side(seen, "x", zoom=True), side(seen, "mass", zoom=True), [Dots("x", "mass")])
    picture = Picture("dots", "", [panel], table=table)
    # means of pixels, because the place of a dot is rounded to a pixel
    expected = np.asarray(pixels(figure(picture, PAPER), 300.0).reduce(5)).astype(np.int64)
    monkeypatch.setattr(marks, "MANY", 10)
    found = np.asarray(pixels(figure(picture, PAPER), 300.0).reduce(5)).astype(np.int64)
    coloured = np.ptp(expected, axis=2) > 40
    assert coloured.sum() > 300 and np.abs(found - expected)[coloured].mean() < 12


@pytest.mark.slow
def test_the_page_says_why_the_profile_is_not_estimated_between_points(seen: Seen, stepped: Seen) -> None:
    assert "also estimated" in " ".join(profile_nll.profiles(seen).words)
    words = " ".join(profile_nll.profiles(stepped).words)
    assert "The profile is not estimated between the points, because phase has discrete values." in words
    few = replace(seen, nll=np.where(seen.nll < np.sort(seen.nll)[15], seen.nll, seen.nll + 50.0))
    reason = r"because a fit needs 22 points at most 9 above the lowest NLL, and there are \d+\."
    assert re.search(reason, " ".join(profile_nll.profiles(few).words))


def test_the_picture_of_steps_shows_every_good_point(seen: Seen) -> None:
    origins = np.array(["start", "exploit", "explore", "random", "probe", "fill"], dtype=object)
    many = replace(seen, origins=origins[np.arange(len(seen.ids)) % 6])
    (picture,) = [picture for picture in search.history(many).pictures if picture.name == "origins"]
    bars = [mark for mark in picture.panels[0].marks if isinstance(mark, Bars)]
    assert sum(bar.values.sum() for bar in bars) == many.good.sum()
    assert len(bars) == 4 and bars[-1].label == "all others"


def test_a_few_points_at_the_end_of_a_range_may_be_chance(seen: Seen) -> None:
    """Two of 74 points in the outermost hundredth are 2.7 %; of 1,000 points this share is not chance."""
    u = np.full((1000, seen.u.shape[1]), 0.5)
    u[:2, 0] = 0.995
    every: dict[str, Any] = {"u": u, "nll": np.zeros(1000), "status": np.full(1000, Status.OK, dtype=np.int8)}

    def crowded_ends(count: int) -> list[tuple[str, str, float]]:
        return replace(seen, **{name: values[:count] for name, values in every.items()}).crowded_ends

    assert crowded_ends(74) == []
    u[:60, 0] = 0.995
    assert crowded_ends(1000) == [("x", "upper", 0.06)]


def test_the_picture_with_selectable_axes_has_a_star_that_follows_them(seen: Seen) -> None:
    table = table_of(seen)
    names = ("x", "mass", "phase")
    drawn = Live(table, {name: Side() for name in names}, []).explorer("x", "mass")
    (star,) = [made for made in drawn.select({"type": GlyphRenderer}) if made.name == "best"]
    assert seen.best is not None
    data = {name: values[0] for name, values in star.data_source.data.items()}
    for name in names:
        assert seen.columns[name][seen.best] in data.values()
    calls = [call for select in drawn.select({"type": Select}) for (call,) in select.js_property_callbacks.values()]
    assert len(calls) == 2 and all(star in call.args["dots"] for call in calls)
    assert all(star.data_source in call.args["sources"] for call in calls)


def test_the_best_point_is_shown_among_a_random_choice(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_module, "MOST_GOOD", 10)
    few = replace(seen)
    assert few.good.sum() > 100 and few.best is not None
    assert few.shown[-1] == few.best and few.good[few.shown].sum() == 10


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_dot_or_star_at_the_end_of_an_axis_is_not_cut_off(scale: Literal["linear", "log"], live: Live) -> None:
    across, up = Side("x", "x", scale, (1.0, 100.0)), Side("y", "y", "linear", (0.0, 1.0))
    panel = Panel(across, up, [Marks(np.array([100.0]), np.array([1.0]))])
    picture = Picture("p", "", [panel])
    (ax,) = figure(picture, PAPER).figure.axes
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert left < 1.0 and right > 100.0 and low < 0.0 and high > 1.0
    (drawn,) = live.panels(picture)
    assert (drawn.x_range.start, drawn.x_range.end) == pytest.approx((left, right))
    bars = replace(panel, x=Side("share", "share", limits=(0.0, 100.0)), marks=[Bars(np.array([50.0]))])
    assert bars.drawn(bars.x) == (0.0, 100.0)


def test_the_text_of_the_regions_says_how_far_they_reach(seen: Seen) -> None:
    (picture,) = [picture for picture in profile_nll.profiles(seen).pictures if picture.name == "regions"]
    spans = re.findall(r"(\S+)(?: \(GeV\))? (-?[0-9.e+-]+) to (-?[0-9.e+-]+)", picture.says)
    assert len(spans) == 2 * len(picture.panels) == 6
    best = {name: seen.columns[name][seen.best] for name in ("x", "mass", "phase")}
    for name, low, high in spans:
        assert float(low) <= best[name] * (1 + 1e-2 * np.sign(best[name])) and float(high) >= best[name] * 0.99
