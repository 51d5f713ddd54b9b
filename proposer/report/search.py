"""The section on the search: its hit rate, and the origins of points."""

from __future__ import annotations

import numpy as np

from proposer.formats import show_number, show_percent, show_time
from proposer.report.section import Part, Rows
from proposer.report.seen import Seen
from proposer.show.picture import Bars, Curve, Panel, Picture, Side
from proposer.strategies.origins import ORIGINS
from proposer.types import Floats

WINDOWS = 60
"""The largest number of windows of evaluations for the hit rate."""

LEAST = 50
"""The fewest points in a quarter of them whose hit rate is compared."""

MOST_ITERATIONS = 40
"""The largest number of bars in the picture of origins. More iterations are combined in one bar."""

MOST_STEPS = 4
"""The most steps with a colour of their own in the picture of good points by iteration."""

OTHERS = "all others"


def hit_rate(order: np.ndarray, good: np.ndarray, windows: int = WINDOWS) -> tuple[Floats, Floats]:
    """The fraction of good points in windows of equal size: the number of evaluations at the end of each window, and
    the fraction, shape (w,) each.
    """
    parts = np.array_split(good[order].astype(np.float64), min(windows, max(len(good) // 50, 8), max(len(good), 1)))
    ends = np.cumsum([len(part) for part in parts]).astype(np.float64)
    return ends, np.array([part.mean() for part in parts])


def fall(seen: Seen) -> list[str]:
    """Why the hit rate fell, in words; empty if it did not fall by a lot.

    The points are divided into four parts of equal size, in the order of requests. The best part is compared with the
    worst one after it, if the hit rate fell by a third or more, and by four standard errors. The difference is a sum
    over the steps of the search (E. M. Kitagawa, J. Am. Stat. Assoc. 50 (1955) 1168): of the change of a step's share
    of the points, times the distance of its hit rate from that of all, and of the change of its hit rate, times its
    share. The largest terms are named.
    """
    parts = np.array_split(np.argsort(seen.ids, kind="stable"), 4)
    if len(parts[-1]) < LEAST:
        return []
    rates = np.array([seen.good[rows].mean() for rows in parts])
    first = int(rates[:-1].argmax())
    last = first + 1 + int(rates[first + 1 :].argmin())
    was, now = rates[first], rates[last]
    error = np.sqrt((was * (1 - was) + now * (1 - now)) / len(parts[-1]))
    if now > 2 / 3 * was or was - now <= 4 * error:
        return []
    terms: list[tuple[float, str]] = []
    for kind in sorted({*seen.origins[parts[first]].tolist(), *seen.origins[parts[last]].tolist()}):
        at = [rows[seen.origins[rows] == kind] for rows in (parts[first], parts[last])]
        share = [len(rows) / len(part) for rows, part in zip(at, (parts[first], parts[last]), strict=True)]
        hits = [seen.good[rows if len(rows) else np.concatenate(at)].mean() for rows in at]
        there, here = map(show_percent, share)
        spent = f"The step {kind} gave {here} of the points, and {there} before; {show_percent(np.mean(hits))} of its "
        spent += "points are good."
        terms.append(((share[1] - share[0]) * float(np.mean(hits) - (was + now) / 2), spent))
        before, after = map(show_percent, hits)
        terms.append(
            (
                (hits[1] - hits[0]) * float(np.mean(share)),
                f"Of the points of the step {kind}, {after} were good, and {before} before.",
            )
        )
    ranked = sorted(terms)[:3]
    named = [words for lost, words in ranked if lost < -0.2 * (was - now)] or [ranked[0][1]]
    where = [f"{seen.ids[parts[k]].min():,} to {seen.ids[parts[k]].max():,}" for k in (first, last)]
    ends = f"from {show_percent(was)} in points {where[0]} to {show_percent(now)} in points {where[1]}"
    return [f"The hit rate fell {ends}. {' '.join(named)}"]


def history(seen: Seen) -> Part:
    """The section on the hit rate over the evaluations, and on the origins of points."""
    order = np.argsort(seen.ids, kind="stable")
    ends, share = hit_rate(order, seen.good)
    total = np.cumsum(seen.good[order]).astype(np.float64)
    every = np.unique(np.linspace(1, len(total), min(len(total), 400)).astype(np.int64))
    evaluations = Side(
        "points, in the order of requests", "points, in the order of requests", limits=(0.0, float(len(total)) * 1.02)
    )
    rate = Panel(
        evaluations,
        Side("hit rate (%)", "hit rate (%)", limits=(0.0, max(100.0 * float(share.max()) * 1.1, 1.0))),
        [Curve(ends, 100 * share)],
    )
    sum_of = Panel(
        evaluations,
        Side("good points", "good points", limits=(0.0, max(float(total[-1]) * 1.1, 1.0))),
        [Curve(every.astype(np.float64), total[every - 1])],
    )
    says = (
        f"Hit rate over {len(total):,} points, from {show_percent(share[0])} in the first {int(ends[0]):,} to "
        f"{show_percent(share[-1])} in the last; {int(total[-1]):,} good points in all."
    )
    kinds = sorted(set(seen.origins.tolist()), key=lambda origin: int(np.flatnonzero(seen.origins == origin)[0]))
    rows = []
    for kind in kinds:
        at = seen.origins == kind
        rows.append(
            [
                kind,
                ORIGINS[kind].meaning if kind in ORIGINS else "",
                f"{int(at.sum()):,}",
                f"{int((at & seen.ok).sum()):,}",
                f"{int((at & seen.good).sum()):,}",
                show_percent(seen.good[at].mean()),
            ]
        )
    origins = Rows("Where points came from", ["step", "meaning", "points", "with an NLL", "good", "hit rate"], rows)
    pictures = [
        Picture(
            "history",
            says,
            [rate, sum_of],
            "Hit rate in windows of equal size, and the total number of good points.",
            columns=2,
        )
    ]
    if (made := _steps(seen, kinds)) is not None:
        pictures.append(made)
    return Part([*_pace(seen), *fall(seen)], tables=[origins], pictures=pictures)


def _pace(seen: Seen) -> list[str]:
    """How long the scan took for the points that it evaluated itself, in words; empty if that is not known."""
    given = (seen.origins == "init") & np.isnan(seen.seconds).all(axis=1)  # these came with their NLL: no code ran
    took, points = seen.record.seconds, int((~given).sum())
    if took <= 0 or not points:
        return []
    return [
        f"The scan took {show_time(took)} of wall time for {points:,} points: {show_number(points / took, 3)} points/s."
    ]


def _steps(seen: Seen, kinds: list[str]) -> Picture | None:
    """A picture of the number of good points from each step in each iteration; None if there is only one iteration or
    no good point.
    """
    last = int(seen.iterations.max())
    if last < 1:
        return None
    wide = -(-(last + 1) // MOST_ITERATIONS)
    group = seen.iterations // wide
    labels = [
        f"{k * wide}" if wide == 1 else f"{k * wide} to {min((k + 1) * wide - 1, last)}"
        for k in range(int(group.max()) + 1)
    ]
    good = {kind: int((seen.good & (seen.origins == kind)).sum()) for kind in kinds}
    giving = [kind for kind in kinds if good[kind]]
    if not giving:
        return None
    if len(giving) > MOST_STEPS:
        named = sorted(giving, key=lambda kind: -good[kind])[: MOST_STEPS - 1]
        giving = [*(kind for kind in giving if kind in named), OTHERS]
    steps = np.where(np.isin(seen.origins, giving), seen.origins, OTHERS)
    start, bars = np.zeros(len(labels)), []
    for number, kind in enumerate(giving):
        values = np.bincount(group[seen.good & (steps == kind)], minlength=len(labels)).astype(np.float64)
        bars.append(Bars(values[::-1], kind, number, start[::-1].copy()))
        start += values
    panel = Panel(
        Side("good points", "good points", limits=(0.0, float(start.max()) * 1.05)),
        Side("iteration", "iteration", categories=labels[::-1]),
        bars,
        tall=min(0.3 + 0.05 * len(labels), 1.6),
    )
    says = "Good points of each step by iteration: " + ", ".join(
        f"{kind} {int((seen.good & (steps == kind)).sum()):,}" for kind in giving
    )
    return Picture(
        "origins", says, [panel], "Good points in each iteration, by the step that proposed them.", columns=1
    )
