"""The pictures of the report: their axes, and how Bokeh draws them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from bokeh.models.glyphs import Text
from bokeh.models.renderers import ContourRenderer, GlyphRenderer

from proposer.report import physics, region
from proposer.report.axes import side, table_of
from proposer.report.live import MOST_WORDS, Live
from proposer.report.seen import Seen, see
from proposer.show.picture import Cells, Panel, Picture, Regions, Side
from proposer.target import height
from tests.proposer.runs import make_run


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return see(make_run(tmp_path_factory.mktemp("pictures") / "run", 500))


@pytest.fixture(scope="module")
def live(seen: Seen) -> Live:
    return Live(table_of(seen), ["x", "mass", "phase", "radius"], [])


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
    panel = region.region_panel(seen, "mass", "x", across=across, up=side(seen, "x", zoom=True), shares=(0.68, 0.95))
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
    for part in (region.pairs(seen, table_of(seen)), region.profiles(seen), physics.correlations(seen)):
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
    (profiles,) = [picture for picture in region.profiles(seen).pictures if picture.name == "profiles"]
    assert profiles.panels
    for panel in profiles.panels:
        assert panel.y.limits is not None and panel.y.limits[0] < -0.03 * panel.y.limits[1]
