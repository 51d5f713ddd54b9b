"""Ticks, colour bars and counts in pictures for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from proposer.show.drawing import Axis, Look, Points, draw_corner, draw_plot
from proposer.show.ticks import set_ticks

LABELS = {
    (1e3, 2e4): ["1000", "2000", "5000", "10000", "20000"],
    (0.02, 0.3): ["0.02", "0.05", "0.10", "0.20"],
    (2e7, 4e8): ["0.2", "0.5", "1.0", "2.0"],
}


@pytest.mark.parametrize("limits", LABELS)
def test_a_logarithmic_axis_of_one_decade_has_plain_numbers(limits: tuple[float, float]) -> None:
    figure = Figure()
    ax = figure.subplots()
    ax.set_xscale("log")
    ax.set_xlim(*limits)
    set_ticks(ax)
    FigureCanvasAgg(figure).draw()
    shown = [
        tick.label1.get_text()
        for tick in ax.xaxis.get_major_ticks()
        if limits[0] <= tick.get_loc() <= limits[1] and tick.label1.get_text()
    ]
    assert shown == LABELS[limits]
    assert ax.xaxis.get_offset_text().get_text() == ("×10⁸" if limits[0] > 1e6 else "")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn; their files stay empty."""
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    return figures


def points_of(values: list[float]) -> Points:
    """Five points, of which the first three are good."""
    good = np.arange(5) < 3
    columns = {"x": np.arange(5.0), "y": np.arange(5.0), "z": np.array(values), "NLL": np.arange(5.0)}
    return Points("", columns, ids=np.arange(5), good=good, bad=~good, unphysical=np.zeros(5, dtype=np.bool_))


@pytest.mark.parametrize(
    ("others", "extend"),
    [([1.5, 2.5], "neither"), ([0.0, 2.0], "min"), ([2.0, 4.0], "max"), ([0.0, 4.0], "both")],
)
def test_a_colour_bar_points_to_values_beyond_it(
    drawn: list[Figure], tmp_path: Path, others: list[float], extend: str
) -> None:
    points = points_of([1.0, 2.0, 3.0, *others])
    x, y, z = (Axis(name, points.columns[name], "linear", None) for name in "xyz")
    draw_plot(points, [x, y], (), tmp_path / "a.pdf", unphysical=False, look=Look(colour=z))
    bars: list[Any] = [made.colorbar for ax in drawn[0].axes for made in ax.collections if made.colorbar]
    assert bars and bars[0].extend == extend


def test_marginals_are_counts_of_good_points(drawn: list[Figure], tmp_path: Path) -> None:
    points = points_of([1.0, 2.0, 3.0, 4.0, 5.0])
    axes = [Axis(name, points.columns[name], "linear", (0.0, 5.0)) for name in "xy"]
    draw_corner(points, axes, tmp_path / "a.pdf")
    FigureCanvasAgg(drawn[0]).draw()
    (best,) = [made for made in drawn[0].axes[2].collections if made.get_gid() == "best"]
    assert np.asarray(best.get_offsets()).tolist() == [[0.0, 0.0]], "the star is at the lowest NLL"
    (good,) = [made for made in drawn[0].axes[2].collections if made.get_gid() == "good"]
    assert np.asarray(good.get_array()).tolist() == [2.0, 1.0, 0.0], "good points are coloured by NLL"
    marginals = [ax for ax in drawn[0].axes if ax.get_ylabel() == "good points"]
    assert len(marginals) == 2
    for ax in marginals:
        assert all(tick == round(tick) for tick in ax.get_yticks()) and "1" in [
            label.get_text() for label in ax.get_yticklabels()
        ]
