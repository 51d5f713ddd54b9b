"""Values that no axis can show are left out and counted; the other values are drawn."""

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from proposer.show.drawing import Axis, Look, Points, draw_corner, draw_plot
from proposer.show.plots import draw
from scanspec import ScanFileError, read_scan_file
from scanspec.plotting import Plot, Plotting

SCAN = """setup: {type: RANDOM}
variables: {a: {range: [0, 1]}, b: {range: [0, 1]}}
codes: {c: {function: 'm:f', observables: {s: {mean: 1, sigma: 0.5}}}}
networks: {threshold_value: 1.0e+9}
"""
A = np.linspace(0.01, 0.99, 40)


def points_of(s):
    good = np.ones(40, dtype=np.bool_)
    columns = {"a": A, "b": A[::-1].copy(), "s": s, "NLL": np.full(40, 1.0)}
    return Points("title", columns, ids=np.arange(40), good=good, bad=~good, unphysical=~good)


def plot_of(name, *values, scales=(None, None), contours=()):
    return Plot(name, values, scales=scales, contours=contours)


@pytest.mark.parametrize("scale", ["log", "linear"])
@pytest.mark.parametrize(
    ("bad", "hidden"),
    [(1e300, 10), (-1e300, 10), (1.7e308, 10), (np.inf, 10), (np.nan, 0), (-1.0, None), (0.0, None), (5e-324, None)],
)
def test_values_that_no_axis_can_show_are_counted(bad, hidden, scale, tmp_path: Path):
    (tmp_path / "scan.yaml").write_text(SCAN)
    scan = read_scan_file(tmp_path / "scan.yaml")
    said: list[str] = []
    points = points_of(np.where(np.arange(40) % 4 == 0, bad, A))
    corner = scale == "linear"  # a corner picture chooses its own axes
    plots = plot_of("sentinel", "a", "s", scales=("linear", scale)), plot_of("last", "a", "b")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = draw(tmp_path, scan, points, Plotting(plots, unphysical=True, corner=corner), say=said.append)
    assert [path.stem for path in paths] == ["sentinel", "last", *["corner"] * corner]
    assert all(path.exists() for path in paths)
    expected = hidden if hidden is not None else 10 if scale == "log" else 0
    assert said == ([f"sentinel.pdf: {expected} points lie outside its axes"] if expected else [])


def test_a_picture_without_any_value_is_refused(tmp_path: Path):
    (tmp_path / "scan.yaml").write_text(SCAN)
    scan = read_scan_file(tmp_path / "scan.yaml")
    plots = tuple(plot_of(f"p{n}", *names, scales=("log", "log")) for n, names in enumerate([("s", "s"), ("a", "s")]))
    for value in (1e300, np.nan, -1.0):
        asked = Plotting(plots, unphysical=True, corner=False)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(draw(tmp_path, scan, points_of(np.full(40, value)), asked)) == 2


def test_an_error_of_any_kind_in_one_picture_does_not_prevent_the_others(tmp_path: Path):
    (tmp_path / "scan.yaml").write_text(SCAN)
    half = Plot("half", ("a", "b"), labels=("\ud800", None))  # half of a character: matplotlib raises TypeError
    asked = Plotting((half, plot_of("good", "a", "b")), unphysical=True, corner=False)
    drawn: list[Path] = []
    with pytest.raises(ScanFileError, match=r"the picture half\.pdf cannot be drawn: TypeError"):
        draw(tmp_path, read_scan_file(tmp_path / "scan.yaml"), points_of(A), asked, drawn=drawn.append)
    assert drawn == [tmp_path / "plots" / "good.pdf"] and drawn[0].exists()


def test_the_corner_picture_counts_the_points_outside_its_axes(tmp_path: Path):
    normal = SCAN.replace("a: {range: [0, 1]}", "a: {prior: {type: normal, mean: 0, sigma: 1}}")
    (tmp_path / "scan.yaml").write_text(normal)
    values = np.linspace(-1.0, 1.0, 1000)
    values[[0, -1]] = -90.0, 90.0
    bad = np.ones(1000, dtype=np.bool_)
    columns = {"a": values, "b": np.linspace(0.01, 0.99, 1000), "s": values, "NLL": np.full(1000, 1.0)}
    points = Points("title", columns, ids=np.arange(1000), good=~bad, bad=bad, unphysical=~bad)
    said: list[str] = []
    asked = Plotting((), unphysical=True, corner=True)
    draw(tmp_path, read_scan_file(tmp_path / "scan.yaml"), points, asked, say=said.append)
    assert said == ["corner.pdf: 2 points lie outside its axes"]


def drawn(tmp_path: Path, path: str, draw_it: Callable[[Path], None]) -> str:
    """A picture as SVG, with texts as texts."""
    with mpl.rc_context({"svg.fonttype": "none"}):
        draw_it(tmp_path / path)
    return (tmp_path / path).read_text()


def some_points() -> Points:
    third = np.arange(40) % 3
    points = points_of(np.linspace(1, 2, 40))
    return replace(points, good=third == 0, bad=third == 1, unphysical=third == 2)


def test_ticks_of_the_corner_picture_have_labels_only_at_its_left_and_lower_edges(tmp_path: Path) -> None:
    axes = [Axis("a", 20 + 380 * A, "log", (20.0, 400.0)), Axis("b", A, "linear", (0.0, 1.0))]
    text = drawn(tmp_path, "corner.svg", lambda path: draw_corner(some_points(), axes, path))
    assert text.count(">30<") + text.count(">20<") == 1 and "$\\mathdefault" not in text and "10^" not in text
    assert len(re.findall(r">\s*0\.[05]\s*<", text)) <= 4


def test_bad_points_are_rings_in_a_picture_by_colour_too(tmp_path: Path) -> None:
    points = some_points()
    x, y, by = (Axis(name, points.columns[name], "linear", None) for name in ("a", "b", "s"))
    look = Look(colour=by)
    text = drawn(tmp_path, "c.svg", lambda p: draw_plot(points, [x, y], (), p, unphysical=True, look=look))
    (bad,) = re.findall(r'<g id="bad">(.*?)</g>\s*<g id="good">', text, re.DOTALL)
    colours = re.findall(r"fill: none; stroke: (#\w+)", bad)
    assert len(set(colours)) > 10, "each in its colour"
    assert all(f">{kind}<" in text for kind in ("unphysical", "bad", "good")), "the legend names each kind"


def test_long_names_are_short_in_a_corner_picture(tmp_path: Path) -> None:
    """Its panels are two inches wide."""
    long = "a very long name that goes on and on until nobody reads it any more"
    (tmp_path / "scan.yaml").write_text(SCAN.replace("a: {range", f"{long}: {{range"))
    points = some_points()
    points = replace(points, columns={long: points.columns["a"]} | points.columns)
    scan = read_scan_file(tmp_path / "scan.yaml")
    nothing = Plotting((), unphysical=True, corner=True)

    def draw_it(path: Path) -> None:
        draw(tmp_path, scan, points, nothing, file=path)

    text = drawn(tmp_path, "c.svg", draw_it)
    assert ">a very long name that g…<" in text and long not in text


def test_the_lowest_nll_has_a_star_even_if_no_point_is_good(tmp_path: Path) -> None:
    points = some_points()
    columns = points.columns | {"NLL": 5.0 + A}
    points = replace(points, good=np.zeros(40, dtype=np.bool_), bad=points.good | points.bad, columns=columns)
    x, y = (Axis(name, points.columns[name], "linear", None) for name in ("a", "b"))
    text = drawn(tmp_path, "c.svg", lambda path: draw_plot(points, [x, y], (), path, unphysical=True))
    assert text.count('id="best"') == 1 and ">best point<" in text


@pytest.mark.parametrize(("low", "clipped"), [(0.01, False), (0.02, True)])
def test_the_star_of_a_point_at_the_end_of_an_axis_is_whole(low: float, clipped: bool, tmp_path: Path) -> None:
    points = some_points()
    points = replace(points, columns=points.columns | {"NLL": A})
    best = A[points.good].min()
    x, y = (Axis(name, A, "linear", (float(best - 0.01 + low), 0.99)) for name in ("a", "b"))
    text = drawn(tmp_path, "c.svg", lambda path: draw_plot(points, [x, y], (), path, unphysical=True))
    (star,) = re.findall(r'<g id="best">(.*?)</g>\s*<g', text, re.DOTALL)
    assert ("clip-path" in star) == clipped
