"""The section on the profile NLL of variables and of pairs of variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from proposer.formats import plain, show_count
from proposer.report.axes import discrete, side, widened
from proposer.report.pairs import narrowest, restricted, star
from proposer.report.section import Part
from proposer.report.seen import Seen
from proposer.show.picture import Curve, Lone, Mark, Marks, Panel, Picture, Regions, Rule, Side
from proposer.show.profiles import BINS, FEW, FINE, LEVELS, Surface, around, edges, profile, surface, without_lone
from proposer.target import height
from proposer.types import Floats

MOST_PROFILES = 12
"""The largest number of variables that are profiled."""

ESTIMATED = "estimate"
"""The label of the profile NLL with estimates."""

WIDENED = 8
"""The largest number of times that the axes of a region are extended. They grow at most tenfold."""


def profiles(seen: Seen) -> Part:
    """The section on the profile NLL of each variable, and of chosen pairs."""
    if seen.best is None or seen.no_levels:
        return Part([f"There is no profile NLL: {seen.no_levels}. So no region of it and no best point is drawn."])
    names = [variable.name for variable in seen.variables]
    chosen = names if len(names) <= MOST_PROFILES else restricted(seen)[:MOST_PROFILES]
    curves = [found for name in chosen if (found := _profile_of_one(seen, name)) is not None]
    regions = []
    for x, y in narrowest(seen):
        panel = region_panel(seen, x, y, across=side(seen, x, zoom=True), up=side(seen, y, zoom=True), levels=LEVELS)
        regions += [panel] if panel is not None else []
    words = _meaning(seen, pairs=bool(regions))
    words += _how_complete(seen, pairs=bool(regions))
    pictures = [_picture_of_curves(curves)] if curves else []
    pictures += [_picture_of_regions(seen, regions)] if regions else []
    return Part(words, pictures=pictures)


def _meaning(seen: Seen, *, pairs: bool) -> list[str]:
    """What the profile NLL is, and how far it can be trusted where no point is good; in words."""
    best = float(seen.nll[cast("int", seen.best)])
    meaning = (
        "The profile NLL is the lowest NLL found at each value. By Wilks' theorem, the 68 % and 95 % intervals of one "
        f"variable reach {height(0.68, 1):.2f} and {height(0.95, 1):.2f} above the lowest NLL, {best:.4g}."
    )
    if pairs:
        meaning += f" The regions of two variables reach {height(0.68, 2):.2f} and {height(0.95, 2):.2f} above it."
    words = [meaning]
    if not seen.good.any():
        words.append(
            f"No point is good ({seen.words}). So the drawn intervals and regions only lie around the best of the "
            "points that were tried. A lower NLL elsewhere would move them."
        )
    elif outside := _levels_outside(best, seen.target.threshold, pairs=pairs):
        words.append(
            f"The search fills the region with {seen.words}. These levels lie outside: {'; '.join(outside)}. "
            "Points are few there, so the true intervals and regions may be larger than drawn."
        )
    return words


class _Profile(NamedTuple):
    """The profile NLL of one variable as a panel, and its interval of 95 % in words; empty if no bin is so low."""

    panel: Panel
    interval: str


def _profile_of_one(seen: Seen, name: str) -> _Profile | None:
    """The profile NLL of a variable; None if the variable has no range."""
    axis, ok, best_row = side(seen, name, zoom=True), seen.ok, cast("int", seen.best)
    if axis.limits is None:
        return None
    best = float(seen.nll[best_row])
    bounds, centres = _bins(seen, name, axis)
    lowest = profile(seen.columns[name][ok], seen.nll[ok], bounds) - best
    estimates, above, _ = seen.profile([name])
    least = np.fmin(lowest, profile(estimates[:, 0], above, bounds))
    steps = np.repeat(bounds, 2)[1:-1]  # a bin beside empty ones is a line too
    curves = [Curve(steps, np.repeat(least, 2), ESTIMATED if len(above) else "")]
    if len(above):
        curves.append(Curve(steps, np.repeat(lowest, 2), "lowest found", 1))
    lines = [Rule(height(level, 1), label=f"{100 * level:.0f} %", number=k) for k, level in enumerate(LEVELS)]
    top = max(height(0.95, 1) * 1.6, min(seen.target.threshold - best, 10.0))
    upwards = Side("NLL − lowest NLL", "NLL − lowest NLL", "linear", (-0.04 * top, top))  # with room for the star
    star_at_zero = Marks(seen.columns[name][[best_row]], np.array([0.0]))
    inside = centres[least < height(0.95, 1)]
    interval = f"{plain(name)} {inside.min():.3g} to {inside.max():.3g}" if len(inside) else ""
    return _Profile(Panel(axis, upwards, [*curves, *lines, star_at_zero], tall=0.7), interval)


def _bins(seen: Seen, name: str, axis: Side) -> tuple[Floats, Floats]:
    """The bounds of the bins along an axis, shape (k + 1,), and their centres, shape (k,). If a variable has few
    discrete values, each of them has a bin.
    """
    assert axis.limits is not None
    low, high = axis.limits
    values = discrete(seen, name)
    shown = values[(values >= low) & (values <= high)]
    if 0 < len(shown) <= BINS:
        return around(shown), shown
    bounds = edges(low, high, axis.scale, int(np.clip(np.sqrt(seen.good.sum()), 10, BINS)))
    return bounds, 0.5 * (bounds[1:] + bounds[:-1]) if axis.scale == "linear" else np.sqrt(bounds[1:] * bounds[:-1])


def _picture_of_curves(found: Sequence[_Profile]) -> Picture:
    panels = [single.panel for single in found]
    labels = {mark.label for panel in panels for mark in panel.marks if isinstance(mark, Curve)}
    drawn = "the lowest NLL found in each bin"
    drawn += ", and with estimates between the points" if ESTIMATED in labels else ""
    intervals = "; ".join(single.interval for single in found if single.interval)
    return Picture(
        "profiles",
        f"Profile NLL of each variable. Within 95 %: {intervals}.",
        panels,
        f"Profile NLL of each variable: {drawn}. The horizontal lines are at 68 % (dashed) and 95 % (dash-dotted).",
    )


def _picture_of_regions(seen: Seen, panels: Sequence[Panel]) -> Picture:
    says = f"Regions of 68 and 95 % in {show_count(len(panels), 'pair')} of variables around the best point."
    if spans := [span for panel in panels for span in _spans(panel)]:
        says += f" The regions of 95 % span: {'; '.join(spans)}."
    caption = (
        "Profile NLL of pairs: the inner regions are those of 68 %, the outer ones those of 95 %. The star is the "
        "best point."
    )
    if any(isinstance(mark, Lone) for panel in panels for mark in panel.marks):
        caption += (
            f" Where fewer than {FEW} points lie together, the points themselves are drawn: they are too few to "
            "say where a region ends."
        )
        if any(len(discrete(seen, name)) for pair in narrowest(seen) for name in pair):
            caption += " They are also drawn if a variable has discrete values."
    return Picture("regions", says, panels, caption)


def _how_complete(seen: Seen, *, pairs: bool) -> list[str]:
    """What the profile NLL misses, and how it is estimated between the points; in words."""
    count = len(seen.variables)
    if count < (3 if pairs else 2):
        return []
    best = float(seen.nll[cast("int", seen.best)])
    below = int((seen.nll[seen.ok] < best + height(0.95, 2)).sum())
    few = (
        f"{below:,} points are at most {height(0.95, 2):.2f} above the lowest NLL. Few of them come close to the "
        f"lowest NLL at their values, because all {count} variables must fit. "
    )
    if missing := seen.no_estimates([seen.variables[0].name]):
        why = f"The profile is not estimated between the points, because {missing}."
        return [f"{few}So intervals and regions are drawn too small, those of 68 % most. {why}"]
    return [
        few + "So it is also estimated, by quadratic fits to the NLL of neighbouring points, wherever these points "
        "agree with the fit. Intervals and regions are still drawn too small, but less so."
    ]


def _levels_outside(best: float, threshold: float, *, pairs: bool) -> list[str]:
    """The levels of the profile NLL above the threshold, in words."""
    return [
        f"{100 * level:.0f} % of {what} (an NLL of {best + height(level, count):.4g})"
        for count, what in ((1, "one variable"), (2, "two variables"))[: 1 + pairs]
        for level in LEVELS
        if threshold < best + height(level, count)
    ]


@dataclass(frozen=True)
class Region:
    """The profile NLL of two columns above its lowest value, on axes that reach to the end of a region. `lone`: points
    of parts that hold too few points to be drawn as a region, as rows of the run.
    """

    across: Side
    up: Side
    surface: Surface
    lone: NDArray[np.int64]


def region_of(seen: Seen, names: tuple[str, str], sides: tuple[Side, Side], level: float) -> Region | None:
    """The region below a level of the profile NLL of two columns; None if a column has no range.

    The axes are extended to the end of the region, but not beyond the range of a variable.
    """
    (x, y), (across, up) = names, sides
    if seen.best is None or seen.no_levels or across.limits is None or up.limits is None:
        return None
    estimates = seen.profile(names)
    for _ in range(WIDENED + 1):
        assert across.limits is not None
        assert up.limits is not None
        grid = edges(*across.limits, across.scale, FINE), edges(*up.limits, up.scale, FINE)
        z = _surface(seen, x, y, grid, estimates)
        inside = z.z < level
        wider = (
            widened(seen, x, across, at_ends=(bool(inside[:, 0].any()), bool(inside[:, -1].any()))),
            widened(seen, y, up, at_ends=(bool(inside[0].any()), bool(inside[-1].any()))),
        )
        if wider == (across, up):
            break
        across, up = wider
    rows = np.flatnonzero(seen.ok)
    above = seen.nll[rows] - float(seen.nll[seen.best])
    few = len(rows) + 1 if len(discrete(seen, x)) or len(discrete(seen, y)) else FEW
    z, lone = without_lone(z, seen.columns[x][rows], seen.columns[y][rows], above, level=level, few=few)
    return Region(across, up, z, rows[lone])


def region_panel(seen: Seen, x: str, y: str, *, across: Side, up: Side, levels: Sequence[float]) -> Panel | None:
    """A panel with regions of the profile NLL of two columns, at the probabilities `levels`; None if a column has no
    range.
    """
    heights, words = [height(level, 2) for level in levels], [f"{100 * level:g} %" for level in levels]
    found = region_of(seen, (x, y), (across, up), max(heights))
    if found is None:
        return None
    z, lone = found.surface, found.lone
    above = seen.nll[lone] - float(seen.nll[cast("int", seen.best)])
    marks: list[Mark] = [Regions(z.x, z.y, z.z, heights, words)]
    for number, (low, high) in enumerate(zip([-np.inf, *heights], heights, strict=False)):
        at = lone[(above >= low) & (above < high)]
        if len(at):
            marks.append(Lone(seen.columns[x][at], seen.columns[y][at], number, words[number]))
    return Panel(found.across, found.up, [*marks, *star(seen, x, y)])


def _spans(panel: Panel) -> list[str]:
    """The extent of the outermost region of a panel along both axes, in words; none if it has no region."""
    (mark,) = [mark for mark in panel.marks if isinstance(mark, Regions)]
    inside = mark.z < mark.levels[-1]
    if not inside.any():
        return []
    x, y = mark.x[inside.any(axis=0)], mark.y[inside.any(axis=1)]
    return [f"{panel.x.plain} {x.min():.3g} to {x.max():.3g} and {panel.y.plain} {y.min():.3g} to {y.max():.3g}"]


def _surface(
    seen: Seen, x: str, y: str, grid: tuple[Floats, Floats], estimates: tuple[Floats, Floats, NDArray[np.int64]]
) -> Surface:
    """The profile NLL of two columns, from the points, and from estimates where these are lower."""
    best, ok = float(seen.nll[cast("int", seen.best)]), seen.ok
    found = surface(seen.columns[x][ok], seen.columns[y][ok], seen.nll[ok], grid, best)
    values, above, near = estimates
    if not len(above):
        return found
    across, up = (np.append(seen.columns[name][near], column) for name, column in zip((x, y), values.T, strict=True))
    nll = np.append(seen.nll[near] - best, above)
    lower = surface(across, up, nll, grid, 0.0, measured=np.arange(len(nll)) < len(near))
    return Surface(found.x, found.y, np.minimum(found.z, lower.z))
