"""The section on the good points in all pairs of variables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from proposer.formats import show_count, show_percent
from proposer.report import walls
from proposer.report.axes import side
from proposer.report.section import Part
from proposer.report.seen import Seen
from proposer.show.picture import Dots, Marks, Panel, Picture, Side, Table
from proposer.target import height

MOST_VARIABLES = 12
"""The largest number of variables in the picture of all pairs, which is unreadable with more."""

MOST_PAIRS = 6
"""The largest number of pairs that are drawn large, and profiled."""

_SIGNS = "Good points are discs coloured by NLL, bad ones grey rings, unphysical ones grey crosses."


def pairs(seen: Seen, table: Table) -> Part:
    """The section with the good points in all pairs of variables, coloured by NLL."""
    names, words = [variable.name for variable in seen.variables], [_drawn(seen)]
    if len(names) > MOST_VARIABLES:
        words.append(
            f"Of {len(names)} variables, the pictures show the {MOST_VARIABLES} that the good points restrict most."
        )
        names = [name for name in names if name in restricted(seen)[:MOST_VARIABLES]]
    pictures = []
    if len(names) == 1:
        pictures.append(_along(seen, names[0], table))
    if len(names) > 1:
        pictures.append(_narrowest_pairs(seen, table))
    if len(names) > 3:
        pictures.append(_all_pairs(seen, names, table))
    return Part(words, _at_ends_of_ranges(seen), pictures=pictures)


def _at_ends_of_ranges(seen: Seen) -> list[str]:
    """Warnings of ends of ranges behind which the good region may continue."""
    warnings = [
        f"{show_percent(share)} of the good points lie in the outermost hundredth of the range of {name}, at its "
        f"{end} end. The good region may continue outside: widen the range, unless its end is a physical limit."
        for name, end, share in seen.crowded_ends
    ]
    crowded = [(name, end) for name, end, _ in seen.crowded_ends]
    if ends := [end for end in walls.cut(seen) if end not in crowded]:
        warnings.append(walls.words(ends, good=bool(seen.good.any())))
    return warnings


def _along(seen: Seen, name: str, table: Table) -> Picture:
    """The NLL of the points along the only variable."""
    panel = Panel(
        side(seen, name, zoom=bool(seen.good.any())),
        Side("NLL", "NLL", "linear", _nll_limits(seen)),
        [Dots(name, "NLL"), *star(seen, name, "NLL")],
    )
    caption = f"The NLL of the points. {_SIGNS}{_of_star(seen)}"
    return Picture("points", f"The NLL of the points along {name}: {_where(seen)}", [panel], caption, table=table)


def _narrowest_pairs(seen: Seen, table: Table) -> Picture:
    """The pairs that the good points restrict most, drawn large."""
    chosen, zoom = narrowest(seen), bool(seen.good.any())
    panels = [
        Panel(side(seen, x, zoom=zoom), side(seen, y, zoom=zoom), [Dots(x, y), *star(seen, x, y)]) for x, y in chosen
    ]
    which = f"The {len(chosen)} pairs that the good points restrict most"
    if len(seen.variables) <= 3:
        which = "Every pair of variables"
    caption = f"{which}{', around the good points' if zoom else ''}. {_SIGNS}{_of_star(seen)}"
    return Picture("points", f"{which}: {_where(seen)}", panels, caption, table=table)


def _all_pairs(seen: Seen, names: Sequence[str], table: Table) -> Picture:
    """All pairs of these variables, in a triangle."""
    zoom = bool(seen.good.any())
    panels = [
        Panel(
            side(seen, x, zoom=zoom),
            side(seen, y, zoom=zoom),
            [Dots(x, y), *star(seen, x, y)],
            grid_cell=(row, column),
            tall=0.95,
        )
        for row, y in enumerate(names[1:])
        for column, x in enumerate(names[: row + 1])
    ]
    return Picture(
        "pairs",
        f"All pairs of {len(names)} variables: {_where(seen)}",
        panels,
        f"Every pair of variables.{_of_star(seen)}",
        lively=False,
        table=table,
    )


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


def star(seen: Seen, x: str, y: str) -> list[Marks]:
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
