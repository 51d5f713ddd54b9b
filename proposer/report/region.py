"""The sections on the region of the good points: all pairs of variables, and the profile NLL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import cast

import numpy as np
from numpy.typing import NDArray

from proposer.formats import plain, show_count, show_percent
from proposer.report import walls
from proposer.report.axes import discrete, side, widened
from proposer.report.section import Part
from proposer.report.seen import Seen
from proposer.show.picture import Curve, Dots, Lone, Mark, Marks, Panel, Picture, Regions, Rule, Side, Table
from proposer.show.profiles import BINS, FEW, FINE, LEVELS, Surface, around, edges, profile, surface, without_lone
from proposer.target import height
from proposer.types import Floats

MOST_VARIABLES = 12
"""The largest number of variables in the picture of all pairs, which is unreadable with more."""

MOST_PAIRS = 6
"""The largest number of pairs that are drawn large, and profiled."""

MOST_PROFILES = 12

ESTIMATED = "estimate"
"""The label of the profile NLL with estimates."""

_SIGNS = "Good points are discs coloured by NLL, bad ones grey rings, unphysical ones grey crosses."

WIDENED = 8
"""The largest number of times that the axes of a region are extended. They grow at most tenfold."""


def pairs(seen: Seen, table: Table) -> Part:
    """The section with the good points in all pairs of variables, coloured by NLL."""
    names = [variable.name for variable in seen.variables]
    words, warnings, pictures = [_drawn(seen)], [], []
    for name, end, share in seen.hugged:
        warnings.append(
            f"{show_percent(share)} of the good points lie in the outermost hundredth of the range of {name}, at its "
            f"{end} end. The good region may continue outside: widen the range, unless its end is a physical limit."
        )
    zoom = bool(seen.good.any())
    hugged = [(name, end) for name, end, _ in seen.hugged]
    if ends := [end for end in walls.cut(seen) if end not in hugged]:
        warnings.append(walls.words(ends, good=zoom))
    chosen = narrowest(seen)
    if len(names) > MOST_VARIABLES:
        words.append(
            f"Of {len(names)} variables, the pictures show the {MOST_VARIABLES} that the good points restrict most."
        )
        names = [name for name in names if name in restricted(seen)[:MOST_VARIABLES]]
    if len(names) > 1:
        large = [
            Panel(side(seen, x, zoom=zoom), side(seen, y, zoom=zoom), [Dots(x, y), *_star(seen, x, y)])
            for x, y in chosen
        ]
        which = (
            "Every pair of variables"
            if len(names) <= 3
            else f"The {len(chosen)} pairs that the good points restrict most"
        )
        caption = f"{which}{', around the good points' if zoom else ''}. {_SIGNS}{_of_star(seen)}"
        pictures.append(Picture("points", f"{which}: {_where(seen)}", large, caption, table=table))
        if len(names) > 3:
            panels = [
                Panel(
                    side(seen, x, zoom=zoom),
                    side(seen, y, zoom=zoom),
                    [Dots(x, y), *_star(seen, x, y)],
                    grid_cell=(row, column),
                    tall=0.95,
                )
                for row, y in enumerate(names[1:])
                for column, x in enumerate(names[: row + 1])
            ]
            pictures.append(
                Picture(
                    "pairs",
                    f"All pairs of {len(names)} variables: {_where(seen)}",
                    panels,
                    f"Every pair of variables.{_of_star(seen)}",
                    lively=False,
                    table=table,
                )
            )
    elif names:
        only = Panel(
            side(seen, names[0], zoom=zoom),
            Side("NLL", "NLL", "linear", _nll_limits(seen)),
            [Dots(names[0], "NLL"), *_star(seen, names[0], "NLL")],
        )
        caption = f"The NLL of the points. {_SIGNS}{_of_star(seen)}"
        pictures.append(
            Picture("points", f"The NLL of the points along {names[0]}: {_where(seen)}", [only], caption, table=table)
        )
    return Part(words, warnings, pictures=pictures)


def _nll_limits(seen: Seen) -> tuple[float, float] | None:
    if seen.best is None:
        return None
    low = float(seen.nll[seen.best])
    high = max(seen.target.threshold, low + 2 * height(0.95, 1))
    return low - 0.05 * (high - low), high + 0.05 * (high - low)


def _drawn(seen: Seen) -> str:
    good, others = int(seen.good.sum()), int((~seen.good).sum())
    shown = int(seen.good[seen.shown].sum())
    rest = len(seen.shown) - shown
    beside = f"all {rest:,}" if rest == others > 1 else f"a random {rest:,} of the {others:,}" if others > 1 else "the"
    if not good:
        return f"No point is good. The pictures show {beside} point{'' if others == 1 else 's'}."
    text = f"{shown:,} of the {good:,} good points, chosen at random"
    text = show_count(shown, "good point") if shown == good else f"{text}," if others else text
    if not others:
        return f"The pictures show {text}. There are no others."
    return f"The pictures show {text} and {beside} other{'' if others == 1 else 's'}."


def _where(seen: Seen) -> str:
    """The spans of the good points in words."""
    if not seen.good.any():
        return "no point is good."
    good = {variable.name: seen.columns[variable.name][seen.good] for variable in seen.variables[:8]}
    spans = [f"{name} from {values.min():.4g} to {values.max():.4g}" for name, values in good.items()]
    return f"{show_count(int(seen.good.sum()), 'good point')}, {', '.join(spans)}."


def _star(seen: Seen, x: str, y: str) -> list[Marks]:
    if seen.best is None or seen.no_levels:
        return []
    columns = seen.columns | {"NLL": seen.nll}
    return [Marks(columns[x][[seen.best]], columns[y][[seen.best]])]


def _of_star(seen: Seen) -> str:
    return "" if seen.no_levels else " The star is the best point."


def restricted(seen: Seen) -> list[str]:
    """The names of the variables. Those whose good points span the least prior probability come first."""
    index = {variable.name: k for k, variable in enumerate(seen.scan.variables)}
    spans = {variable.name: _span(seen, index[variable.name]) for variable in seen.variables}
    return sorted(spans, key=lambda name: spans[name])


def _span(seen: Seen, column: int) -> float:
    good = seen.u[seen.good, column]
    return float(np.subtract(*np.percentile(good, [95, 5]))) if len(good) else 1.0


def narrowest(seen: Seen, most: int = MOST_PAIRS) -> list[tuple[str, str]]:
    """Pairs of variables, sorted by the share of their square that the good points occupy, the smallest first. So pairs
    that lie on a line come before pairs that fill a box. The share is that of the cells of a 20 by 20 grid in the
    prior's quantiles.
    """
    order = [variable.name for variable in seen.variables]
    if len(order) <= 3 or not seen.good.any():
        return list(combinations(order, 2))[:most]
    index = {variable.name: k for k, variable in enumerate(seen.scan.variables)}
    names = [name for name in order if name in restricted(seen)[:40]]
    cells = {name: np.minimum((seen.u[seen.good, index[name]] * 20).astype(np.int64), 19) for name in names}
    share = {pair: len(np.unique(cells[pair[0]] * 20 + cells[pair[1]])) for pair in combinations(names, 2)}
    return sorted(share, key=lambda pair: share[pair])[:most]


def profiles(seen: Seen) -> Part:
    """The section on the profile NLL of each variable, and of chosen pairs."""
    if seen.best is None or seen.no_levels:
        return Part([f"There is no profile NLL: {seen.no_levels}. So no region of it and no best point is drawn."])
    best, ok = float(seen.nll[seen.best]), seen.ok
    names = [variable.name for variable in seen.variables]
    chosen = names if len(names) <= MOST_PROFILES else restricted(seen)[:MOST_PROFILES]
    top = max(height(0.95, 1) * 1.6, min(seen.target.threshold - best, 10.0))
    upwards = Side("NLL − lowest NLL", "NLL − lowest NLL", "linear", (-0.04 * top, top))  # with room for the star
    lines = [Rule(height(level, 1), label=f"{100 * level:.0f} %", number=k) for k, level in enumerate(LEVELS)]
    singles, found = [], []
    for name in chosen:
        axis = side(seen, name, zoom=True)
        if axis.limits is None:
            continue
        values = discrete(seen, name)
        shown = values[(values >= axis.limits[0]) & (values <= axis.limits[1])]
        if 0 < len(shown) <= BINS:
            bounds, centres = around(shown), shown
        else:
            low, high = axis.limits
            bounds = edges(low, high, axis.scale, int(np.clip(np.sqrt(seen.good.sum()), 10, BINS)))
            centres = 0.5 * (bounds[1:] + bounds[:-1]) if axis.scale == "linear" else np.sqrt(bounds[1:] * bounds[:-1])
        lowest = profile(seen.columns[name][ok], seen.nll[ok], bounds) - best
        estimates, above, _ = seen.profile([name])
        least = np.fmin(lowest, profile(estimates[:, 0], above, bounds))
        steps = np.repeat(bounds, 2)[1:-1]  # a bin beside empty ones is a line too
        outline = [Curve(steps, np.repeat(least, 2), ESTIMATED if len(above) else "")]
        if len(above):
            outline.append(Curve(steps, np.repeat(lowest, 2), "lowest found", 1))
        inside = centres[least < height(0.95, 1)]
        if len(inside):
            found.append(f"{plain(name)} {inside.min():.3g} to {inside.max():.3g}")
        star = Marks(seen.columns[name][[seen.best]], np.array([0.0]))
        singles.append(Panel(axis, upwards, [*outline, *lines, star], tall=0.7))
    doubles = []
    for x, y in narrowest(seen):
        panel = region_panel(seen, x, y, across=side(seen, x, zoom=True), up=side(seen, y, zoom=True), levels=LEVELS)
        doubles += [panel] if panel is not None else []
    meaning = (
        "The profile NLL is the lowest NLL found at each value. By Wilks' theorem, the 68 % and 95 % intervals of one "
        f"variable reach {height(0.68, 1):.2f} and {height(0.95, 1):.2f} above the lowest NLL, {best:.4g}."
    )
    if doubles:
        meaning += f" The regions of two variables reach {height(0.68, 2):.2f} and {height(0.95, 2):.2f} above it."
    words = [meaning]
    if not seen.good.any():
        words.append(
            f"No point is good ({seen.words}). So the drawn intervals and regions only lie around the best of the "
            "points that were tried. A lower NLL elsewhere would move them."
        )
    elif outside := _levels_outside(best, seen.target.threshold, pairs=bool(doubles)):
        words.append(
            f"The search fills the region with {seen.words}. These levels lie outside: {'; '.join(outside)}. "
            "Points are few there, so the true intervals and regions may be larger than drawn."
        )
    words += _how_complete(seen, pairs=bool(doubles))
    pictures = []
    if singles:
        labels = {mark.label for panel in singles for mark in panel.marks if isinstance(mark, Curve)}
        drawn = "the lowest NLL found in each bin"
        drawn += ", and with estimates between the points" if ESTIMATED in labels else ""
        says = f"Profile NLL of each variable. Within 95 %: {'; '.join(found)}."
        pictures.append(
            Picture(
                "profiles",
                says,
                singles,
                f"Profile NLL of each variable: {drawn}. The horizontal lines are at 68 % (dashed) and 95 % "
                "(dash-dotted).",
            )
        )
    if doubles:
        says = f"Regions of 68 and 95 % in {show_count(len(doubles), 'pair')} of variables around the best point."
        if spans := [span for panel in doubles for span in _spans(panel)]:
            says += f" The regions of 95 % span: {'; '.join(spans)}."
        caption = (
            "Profile NLL of pairs: the inner regions are those of 68 %, the outer ones those of 95 %. The star is the "
            "best point."
        )
        if any(isinstance(mark, Lone) for panel in doubles for mark in panel.marks):
            caption += (
                f" Where fewer than {FEW} points lie together, the points themselves are drawn: they are too few to "
                "say where a region ends."
            )
            if any(len(discrete(seen, name)) for pair in narrowest(seen) for name in pair):
                caption += " They are also drawn if a variable has discrete values."
        pictures.append(Picture("regions", says, doubles, caption))
    return Part(words, pictures=pictures)


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
    return Panel(found.across, found.up, [*marks, *_star(seen, x, y)])


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
