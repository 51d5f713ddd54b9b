"""Finds the ends of ranges that the good region reaches."""

from __future__ import annotations

import numpy as np

from proposer.report.seen import Seen, walled
from proposer.target import height
from proposer.types import Floats
from scanspec import Variable

DEEP = 0.75
"""A point is deep in the good region if its NLL lies below this share of the way from the lowest one to the threshold.
Where a region ends inside the range, its profile NLL rises through the last quarter over several spacings of points.
"""

LEAST, MOST = 5, 20
"""The smallest and the largest number of deep points next to an end of a range that are looked at."""

NEAR = 0.1
"""They lie at most this share of the width of the good region away from the end."""

GAP, FITTED_GAP = 2.5, 2.0
"""The largest distance of the outermost of them from the end, in their mean spacing; and that of the outermost good
point, if only fits say that the NLL at the end is low: the edge of a flat region may be too steep for a fit.
"""

ERRORS = 3.0
"""The standard errors of a fit that are added to its minimum."""

ENDS = {"lower": (0.0,), "upper": (1.0,), "outer": (0.0, 1.0)}
"""The quantiles at the ends of a range; a symmetric prior has two outer ends."""

MOST_NAMES = 8
"""The largest number of variables that the warning names."""


def cut(seen: Seen) -> list[tuple[str, str]]:
    """The ends of ranges at which the profile NLL is still clearly below the threshold, so that the good region may go
    on beyond them: the variable, and the end. A region with a steep edge just at an end is told too: points inside the
    range cannot say that it ends there. Distances are measured in the quantiles of the prior. The width of a region
    is that of 90 % of the good points.

    An end counts if deep points (see `DEEP`) close to it follow each other up to it, without a gap that is wider than
    their spacing explains. With many variables, hardly any point close to an end is deep. So an end also counts if good
    points follow each other up to it, and quadratic fits to their NLL have a deep minimum there. Nothing counts without
    a likelihood, because then the region is the whole box. If no point is good, the region is that of 95 % around the
    lowest NLL.
    """
    if seen.best is None or seen.no_levels:
        return []
    lowest = max(float(seen.nll[seen.best]), seen.target.above)
    top = seen.target.threshold if seen.good.any() else lowest + height(0.95, 2)
    level = lowest + DEEP * (top - lowest)
    deep = seen.near & (seen.nll < level)
    found = []
    for k, variable in enumerate(seen.scan.variables):
        if not walled(variable) or not np.isfinite([variable.low, variable.high]).all():
            continue
        width = float(np.subtract(*np.percentile(seen.u[seen.near, k], [95, 5]))) if deep.any() else 0.0
        of_near = _to_ends(seen.u[seen.near, k], variable)
        for end, away in _to_ends(seen.u[deep, k], variable).items():
            close = _reached(of_near[end], FITTED_GAP)
            if _reached(away, GAP, NEAR * width) or (
                close and seen.fitted_at(variable.name, ENDS[end], ERRORS) < level
            ):
                found.append((variable.name, end))
    return found


def _to_ends(u: Floats, variable: Variable) -> dict[str, Floats]:
    """The distances of points, shape (n,), to each end of the range."""
    if variable.prior.symmetric:
        return {"outer": np.minimum(u, 1.0 - u)}
    return {"lower": u, "upper": 1.0 - u}


def _reached(away: Floats, gap: float, furthest: float = np.inf) -> bool:
    """Whether points at these distances from an end of a range follow each other up to it, with a gap of at most so
    many times their mean spacing. Those that are looked at must be at most `furthest` away.
    """
    count = int(np.clip(len(away) // 20, LEAST, MOST))
    if len(away) < count:
        return False
    nearest = np.partition(away, count - 1)[:count]
    return float(nearest.max()) <= furthest and float(nearest.min()) <= gap / count * float(nearest.max())


def words(ends: list[tuple[str, str]], *, good: bool) -> str:
    """The warning for these ends. `good`: whether any point is good."""
    by_name: dict[str, list[str]] = {}
    for name, end in ends:
        by_name.setdefault(name, []).append(end)
    at_ends = [f"{name} ({'both ends' if len(at) > 1 else f'{at[0]} end'})" for name, at in by_name.items()]
    shown = at_ends if len(at_ends) <= MOST_NAMES else [*at_ends[:MOST_NAMES], f"{len(at_ends) - MOST_NAMES} more"]
    listed = ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]
    if not good:
        return (
            f"No point is good, and the points with the lowest NLL lie at the end of the range at {listed}. The good "
            "region may be outside: widen the range, unless its end is a physical limit."
        )
    return (
        f"The good region reaches the end of the range at {listed}: by the points next to it, the lowest NLL there is "
        "still clearly below the threshold. The region may continue outside: widen the range, unless its end is a "
        "physical limit. Only points outside can tell whether the region has a steep edge just at the end."
    )
