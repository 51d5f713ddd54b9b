"""Compares the predicted probabilities of good points with the results."""

from __future__ import annotations

import numpy as np

from proposer.formats import show_percent
from proposer.report.section import Part, Rows
from proposer.report.seen import Seen
from proposer.show.picture import Bars, Curve, Panel, Picture, Side
from proposer.types import Floats

BINS = 10
"""The number of bins of the predicted probabilities from 0 to 1."""

SOURCES = (
    "The Brier score is the mean of (predicted probability − outcome)², where the outcome is 1 for a good point and 0 "
    "for another one (G. W. Brier, Monthly Weather Review 78 (1950) 1). The errors are 68 % Wilson intervals (E. B. "
    "Wilson, J. Am. Stat. Assoc. 22 (1927) 209; L. D. Brown, T. T. Cai and A. DasGupta, Statistical Science 16 (2001) "
    "101)."
)


def wilson(good: Floats, points: Floats, z: float = 1.0) -> tuple[Floats, Floats]:
    """Lower and upper ends, shape (n,), of the interval for the probability behind `good` of `points`, shapes (n,).

    The score interval of E. B. Wilson (J. Am. Stat. Assoc. 22 (1927) 209), which Brown, Cai and DasGupta
    recommend (Statistical Science 16 (2001) 101), z standard deviations wide. Each of `points` is above 0.
    """
    share = good / points
    middle = (good + z**2 / 2) / (points + z**2)
    half = z * np.sqrt(points) / (points + z**2) * np.sqrt(share * (1 - share) + z**2 / (4 * points))
    return np.clip(middle - half, 0.0, share), np.clip(middle + half, share, 1.0)


def moved(seen: Seen) -> list[str]:
    """Notes on predictions that used another threshold than this page."""
    if seen.target.follows:
        text = (
            "The threshold follows the best point: it went down whenever a better point was found. This page counts "
            f"points by the last threshold ({seen.words}). A point that was predicted to be good by an earlier, higher "
            "threshold may count as not good here although the prediction was right. So the predictions look more "
            "optimistic than they were."
        )
        return [text]
    if seen.target_changes:
        changed = "; ".join(seen.target_changes)
        text = (
            f"The threshold was changed during the scan ({changed}). This page counts all points by the present "
            "threshold, also those that were predicted before the change."
        )
        return [text]
    return []


def calibration(seen: Seen) -> Part:
    """Compares predicted probabilities in bins with the fraction of good points, and gives the Brier score."""
    told = np.isfinite(seen.probability)
    if not told.any():
        return Part(words=["No probability is stored with these points: the search predicted none."])
    predicted, good = seen.probability[told], seen.good[told]
    bins = np.minimum((predicted * BINS).astype(np.int64), BINS - 1)
    every, hits, total = (
        np.bincount(bins, weights=weights, minlength=BINS).astype(np.float64)
        for weights in (np.ones(len(bins)), good, predicted)
    )
    used = np.flatnonzero(every)
    points, came, mean = every[used], hits[used], total[used] / every[used]
    share, (low, high) = came / points, wilson(came, points)
    names = [f"{k / BINS:.1f} to {(k + 1) / BINS:.1f}" for k in used.tolist()]
    rows = [
        [name, f"{p:.3f}", f"{n:,.0f}", f"{k:,.0f}", show_percent(s), f"{show_percent(a)} to {show_percent(b)}"]
        for name, p, n, k, s, a, b in zip(names, mean, points, came, share, low, high, strict=True)
    ]
    table = Rows(
        "Predicted probability, and the share that came out good",
        ["predicted", "mean", "points", "good", "share that is good", "68 % interval"],
        rows,
    )
    brier, rate = float(np.mean((predicted - good) ** 2)), float(good.mean())
    score = (
        f"Brier score {brier:.3f} over {len(good):,} points with a prediction: 0 is perfect, and always predicting "
        f"their hit rate, {show_percent(rate)}, scores {rate * (1 - rate):.3f}."
    )
    says = (
        f"Predicted probability against the share that came out good, over {len(good):,} points. "
        + "; ".join(
            f"predicted {name} (mean {p:.2f}): {show_percent(s)} of {n:,.0f} good, "
            f"{show_percent(a)} to {show_percent(b)}"
            for name, p, s, n, a, b in zip(names, mean, share, points, low, high, strict=True)
        )
        + f". Brier score {brier:.3f}."
    )
    unit_range = (-0.02, 1.02)
    against = Panel(
        Side("predicted probability", "predicted probability", limits=unit_range),
        Side("share that is good", "share that is good", limits=unit_range),
        [
            Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "as predicted", number=5),
            _with_errors(mean, low, share, high),
        ],
    )
    counts = Panel(
        Side("points", "points", limits=(0.0, float(points.max()) * 1.05)),
        Side("predicted probability", "predicted probability", categories=names),
        [Bars(came, "good", 0), Bars(points - came, "not good", 1, came)],
    )
    picture = Picture(
        "calibration",
        says,
        [against, counts],
        "Share of good points by predicted probability, with 68 % Wilson intervals, and the points in each bin.",
        columns=2,
    )
    return Part(words=[score, *moved(seen), SOURCES], tables=[table], pictures=[picture])


def _with_errors(x: Floats, low: Floats, middle: Floats, high: Floats) -> Curve:
    """Error bars as one curve: at each x, shape (n,), a vertical line from low to high with caps, and a longer mark at
    the middle.
    """
    gap = np.full_like(x, np.nan)
    across = [(x, x), (x - 0.01, x + 0.01), (x - 0.025, x + 0.025), (x - 0.01, x + 0.01)]
    along = [(low, high), (low, low), (middle, middle), (high, high)]
    xs, ys = (np.array([number for ends in lines for number in (*ends, gap)]).T.ravel() for lines in (across, along))
    return Curve(xs, ys, "came out good, 68 % interval")
