"""The sections on points that are unphysical, failed, or timed out, and on the cost of each code."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from proposer.formats import plain, show_count, show_percent
from proposer.report.axes import side
from proposer.report.section import Code, Part, Rows
from proposer.report.seen import Seen
from proposer.show.costs import costs_of, show_costs
from proposer.show.failures import command, kind_of, scan_file
from proposer.show.picture import Bars, Dots, Panel, Picture, Side, Table
from proposer.types import Floats, Status

MOST_REASONS = 12
"""The largest number of rows in the table of reasons."""

FEWEST = 5
"""Of fewer points, or beside fewer others, it is not said where they lie."""

_CLEAR = 0.15  # a larger Kolmogorov distance is reported
_NARROW = 0.6  # the largest share of the prior that 80 % of the points may span


def trouble(seen: Seen, table: Table) -> Part:
    """The section on points without an NLL, by status and code, with their region in the space and their messages."""
    bad = ~seen.ok
    if not bad.any():
        return Part(["Every point has an NLL: none was INVALID, FAILED or TIMED_OUT."])
    words, chosen = [], []
    for status in (Status.INVALID, Status.FAILED, Status.TIMED_OUT):
        at = seen.status == status
        if at.any():
            apart = _apart(seen, at)
            chosen += [name for name, _, _ in apart]
            found = "; ".join(where for _, _, where in apart[:3])
            few = int(at.sum()) < FEWEST
            where = f", {found}" if found else "" if few else ", distributed like all other points"
            words.append(f"{status.name}: {show_count(int(at.sum()), 'point')} ({show_percent(at.mean())}){where}.")
    names = list(dict.fromkeys([*chosen, *(variable.name for variable in seen.variables)]))[:3]
    pairs = (
        [(names[0], names[1])]
        if len(names) == 2
        else [(names[0], names[1]), (names[0], names[2]), (names[1], names[2])]
        if len(names) > 2
        else []
    )
    panels = [Panel(side(seen, x, zoom=False), side(seen, y, zoom=False), [Dots(x, y, "status")]) for x, y in pairs]
    pictures = (
        [
            Picture(
                "status",
                f"Status of points over the range of {', '.join(map(plain, names))}. {' '.join(words)}",
                panels,
                "Status of points: OK blue dots, INVALID grey crosses, FAILED red triangles, TIMED_OUT purple squares. "
                "The axes are the variables in which points without an NLL differ most from the others.",
                table=table,
            )
        ]
        if panels
        else []
    )
    return Part(words, tables=[_reasons(seen)], pictures=pictures)


def _apart(seen: Seen, at: np.ndarray) -> list[tuple[str, float, str]]:
    """The variables in which some points are distributed differently from the others, with the Kolmogorov distance and
    a text. The variable with the largest distance comes first. Then only the points within its interval are compared,
    and so on: a search has its other points close together, so far from them the points differ in every variable.
    """
    found: list[tuple[str, float, str]] = []
    left = [(k, variable.name) for k, variable in enumerate(seen.scan.variables) if not variable.fixed]
    inside = np.ones(len(at), dtype=np.bool_)
    while left and (at & inside).sum() >= FEWEST and (~at & inside).sum() >= FEWEST:
        distances = {}
        for k, name in left:
            u = seen.u[at & inside, k]
            narrow = float(np.ptp(u[_most(u)])) < _NARROW  # others only miss where good points are
            distance = kolmogorov(u, seen.u[~at & inside, k])
            if distance > _CLEAR and narrow:
                distances[k, name] = distance
        if not distances:
            break
        k, name = max(distances, key=lambda one: distances[one])
        rows = np.flatnonzero(at & inside)
        ends = rows[_most(seen.u[rows, k])]
        low, high = np.sort(seen.params[ends, k])
        where = f"{name} from {low:.4g} to {high:.4g}" if low < high else f"{name} = {low:.4g}"
        found.append((name, distances[k, name], f"80 % of them with {where}"))
        inside &= (seen.u[:, k] >= seen.u[ends[0], k]) & (seen.u[:, k] <= seen.u[ends[1], k])
        left.remove((k, name))
    return found


def _most(u: Floats) -> Any:
    """The positions of the ends of the shortest interval with 80 % of the values, shape (n,)."""
    order = np.argsort(u, kind="stable")
    count = math.ceil(0.8 * len(u))
    first = int(np.argmin(u[order[count - 1 :]] - u[order[: len(u) - count + 1]]))
    return order[[first, first + count - 1]]


def kolmogorov(first: Floats, second: Floats) -> float:
    """The largest difference between the distribution functions of two samples, shapes (n,) and (m,), as the statistic
    of `scipy.stats.ks_2samp`; to load scipy.stats takes longer than to draw a picture.
    """
    both = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(sample), both, side="right") / len(sample) for sample in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def _reasons(seen: Seen) -> Rows:
    reasons: Counter[tuple[str, str, str]] = Counter()
    last: dict[tuple[str, str, str], int] = {}
    for row in np.flatnonzero(~seen.ok).tolist():
        reason = Status(seen.status[row]).name, str(seen.failed_code[row]), kind_of("", str(seen.message[row]))[1]
        reasons[reason] += 1
        last[reason] = row
    file, names = scan_file(seen.folder), [variable.name for variable in seen.stored.variables]
    rows: list[list[str | Code]] = []
    for (status, code, message), count in reasons.most_common(MOST_REASONS):
        row = last[status, code, message]
        text = str(seen.message[row])
        shown = text if len(text) < 300 else f"{text[:300]}…"
        rows.append(
            [status, code, f"{count:,}", shown, Code(command(file, names, seen.params[row]), f"point {seen.ids[row]}")]
        )
    more = f"; the {MOST_REASONS} most frequent of {len(reasons):,} kinds" if len(reasons) > MOST_REASONS else ""
    return Rows(
        f"Messages, the last one of each kind{more}",
        ["status", "code", "points", "message", "an example"],
        rows,
    )


def seconds(seen: Seen) -> Part:
    """The section on the cost of each code."""
    ran = np.isfinite(seen.seconds).sum(axis=1)
    kinds, counts = np.unique(np.column_stack([seen.status, ran])[ran > 0], axis=0, return_counts=True)
    points = {(Status(status), codes): n for (status, codes), n in zip(kinds.tolist(), counts.tolist(), strict=True)}
    names = [code.name for code in seen.stored.codes]
    found = costs_of(points, dict(enumerate(np.nansum(seen.seconds, axis=0).tolist())), names)
    lines = show_costs(found)
    if not lines:
        return Part(["No code reported its time."])
    rows = []
    for k, code in enumerate(found):
        column = seen.seconds[:, k][np.isfinite(seen.seconds[:, k])]
        ends = [f"{value:.3g}" for value in np.percentile(column, [50, 95, 100])] if len(column) else ["", "", ""]
        rows.append(
            [
                code.name,
                f"{code.runs:,}",
                *ends,
                f"{code.seconds:,.0f}" if code.seconds >= 100 else f"{code.seconds:.3g}",
            ]
        )
    panel = Panel(
        Side("seconds in total", "seconds in total", limits=(0.0, max(code.seconds for code in found) * 1.05)),
        Side(categories=[plain(code.name) for code in found][::-1]),
        [Bars(np.array([code.seconds for code in found][::-1]))],
        tall=min(0.2 + 0.07 * len(found), 1.5),
    )
    table = Rows("Seconds of wall time", ["code", "runs", "median", "95 %", "longest", "in total"], rows)
    return Part(
        [f"{line[0].upper()}{line[1:]}." for line in lines[len(found) :]],
        tables=[table],
        pictures=[
            Picture(
                "seconds",
                f"Seconds by code. {' '.join(lines)}",
                [panel],
                "Seconds that each code took, over all points.",
                columns=1,
            )
        ],
    )
