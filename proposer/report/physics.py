"""The sections on observables and constraints: pulls, excluded points, and correlations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proposer.formats import plain, show_count, show_number, show_percent
from proposer.report.pairs import restricted
from proposer.report.section import Part, Rows
from proposer.report.seen import Seen
from proposer.show.picture import Bars, Cells, Marks, Panel, Picture, Rule, Side, Spread
from proposer.types import Floats, Status
from scanspec import Kind, Likelihood
from scanspec.terms import Term, TermKind

MOST = 25
"""The largest number of rows of a picture."""

MOST_CELLS = 16
"""The largest number of rows and columns in the picture of correlations."""

MOST_NAMED = 3
"""The largest number of observables of one term whose values are in the table of pulls."""

FEWEST = 30
"""With fewer points that follow the prior, all points are counted: a share of so few has an error of about 10 %."""

_FAR = 20.0  # a larger pull is drawn at this value


def pulls(seen: Seen) -> Part:
    """The section that compares observables with their constraints: pulls of the best point, and their spread over good
    points.
    """
    specs = {observable.name: observable for observable in seen.scan.all_observables()}
    names = list(seen.likelihoods)
    if not names or seen.best is None:
        return Part(["No observable has a likelihood, or no point has an NLL."])
    loss = {name: seen.losses[:, k] for name, k in seen.likelihoods.items()}
    worst = sorted(names, key=lambda name: -np.nan_to_num(loss[name][seen.best]))
    rows, pulls_by_name = [], {}
    for name in worst:
        spec = specs.get(name)
        likelihood, term = (spec.likelihood, spec.term) if spec is not None else (Likelihood(), None)
        pull = pull_of(likelihood, seen.columns[name], loss[name])
        if term is not None and len(term.observables) == 1:
            pull = pull * side_of(term, seen.columns[term.observables[0]])
        pulls_by_name[name] = pull
        stored = seen.stored.observables[seen.likelihoods[name]]
        at_best, spread = _values(seen, seen.best, term.observables if term is not None else [name])
        rows.append(
            [
                name,
                stored.likelihood.replace("+-", "±"),
                at_best,
                _signed(float(pull[seen.best]), 2),
                _show(loss[name][seen.best]),
                spread,
            ]
        )
    table = Rows(
        "The largest loss of the best point first",
        ["observable", "constraint", "best point", "pull", "loss", "good points"],
        rows,
    )
    return Part(tables=[table, *_inside_joint(seen, worst)], pictures=[_picture_of_pulls(seen, pulls_by_name)])


def _picture_of_pulls(seen: Seen, pulls_by_name: Mapping[str, Floats]) -> Picture:
    """The pulls of the best point, and their spread over the good points; from above, those with the largest losses of
    the best point.
    """
    shown = list(pulls_by_name)[:MOST][::-1]
    good = [pulls_by_name[name][seen.good] for name in shown]
    spread = np.array([np.percentile(values, [5, 50, 95]) if len(values) else [np.nan] * 3 for values in good])
    low, middle, high = spread.clip(-_FAR, _FAR).T
    best = np.array([pulls_by_name[name][seen.best] for name in shown]).clip(-_FAR, _FAR)
    reach = 1.08 * max(3.0, float(np.nanmax(np.abs([*low, *middle, *high, *best]))))
    panel = Panel(
        Side("pull", "pull", limits=(-reach, reach)),
        Side(categories=[plain(name) for name in shown]),
        [
            *([Spread(low, middle, high, "good points, 5 % to 95 %")] if seen.good.any() else []),
            Marks(best, label="best point"),
            *[Rule(at, upright=True) for at in (-2.0, 0.0, 2.0)],
        ],
        tall=_tall(len(shown)),
    )
    says = f"Pulls of {show_count(len(shown), 'observable')}. Of the best point: " + ", ".join(
        f"{plain(name)} {_signed(at, 1)}" for name, at in zip(shown[::-1], best[::-1].tolist(), strict=True)
    )
    caption = (
        "Pulls: (value − mean) / sigma. For limits and other likelihoods, the square root of twice the loss, which is "
        "1.18 at the mean of UPPER or LOWER, and 1.645 at the bound of a LIMIT of 95 % confidence."
    )
    if len(pulls_by_name) > MOST:
        caption += f" The {MOST} largest losses of {len(pulls_by_name)}."
    return Picture("observables", says, [panel], caption, columns=1)


def _values(seen: Seen, best: int, names: Sequence[str]) -> tuple[str, str]:
    """Observables at the point in the row `best`, and their spans over the good points, with their units. Of several,
    it names the first MOST_NAMED.
    """
    units = {stored.name: stored.unit for stored in seen.stored.observables}
    at_best, spans = [], []
    for name in names[:MOST_NAMED]:
        unit = f" {plain(units[name])}" if units.get(name) else ""
        good, what = seen.columns[name][seen.good], f"{name} " if len(names) > 1 else ""
        at_best.append(f"{what}{_show(float(seen.columns[name][best]))}{unit}")
        spans.append(f"{what}{_show(np.min(good))} to {_show(np.max(good))}{unit}" if len(good) else "none")
    more = [f"and {len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return "; ".join([*at_best, *more]), "; ".join([*spans, *more])


def _inside_joint(seen: Seen, names: list[str]) -> list[Rows]:
    """A table with the pulls of the observables in joint Gaussians at the best point; empty if there are none."""
    specs = {spec.name: spec for spec in seen.scan.all_observables()}
    rows = []
    for name in names:
        term = specs[name].term if name in specs else None
        if term is None or term.kind is not TermKind.JOINT_GAUSS:
            continue
        x = np.array([seen.columns[observable][seen.best] for observable in term.observables])
        alone, beside = pulls_inside(term, x)
        for observable, value, own, rest in zip(term.observables, x, alone, beside, strict=True):
            rows.append([name, observable, _show(value), _signed(float(own), 2), _signed(float(rest), 2)])
    if not rows:
        return []
    title = (
        "Observables of joint Gaussians at the best point: the pull by its own error, and the pull if the values of "
        "all the others in the term are known"
    )
    return [Rows(title, ["likelihood", "observable", "best point", "pull alone", "pull given the others"], rows)]


def pulls_inside(term: Term, x: Floats) -> tuple[Floats, Floats]:
    """Two pulls of each observable x, shape (k,), of a joint Gaussian, shape (k,) each. One is (x - mean) / sigma. The
    other is the pull from the value that the other observables predict: (P (x - mean))_i / sqrt(P_ii), with the
    inverse covariance P."""
    root = np.array(term.root)
    inverse = np.linalg.inv(root)
    precision = inverse.T @ inverse
    off = x - np.array(term.mean)
    return off / np.linalg.norm(root, axis=1), precision @ off / np.sqrt(np.diag(precision))


def side_of(term: Term, x: Floats) -> Floats:
    """-1 for each observable below the mean of its term, else 1; x may have any shape."""
    return np.where(x < term.mean[0], -1.0, 1.0) if term.mean else np.ones_like(x)


def pull_of(likelihood: Likelihood, values: Floats, losses: Floats) -> Floats:
    """Distances from the mean in units of sigma, any shape. For limits and all other kinds, the square root of twice
    the loss.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        if likelihood.kind in (Kind.GAUSS, Kind.LOG) and likelihood.sigma > 0:
            return np.asarray((values - likelihood.mean) / likelihood.sigma)
        root = np.sqrt(2.0 * np.maximum(losses, 0.0))
        return np.asarray(-root if likelihood.kind is Kind.LOWER else root)


def _signed(value: float, digits: int) -> str:
    """A number with its sign, and with so many digits behind the point; a zero has no sign."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


def _show(value: float) -> str:
    return f"{value:.5g}"


def _tall(rows: int) -> float:
    return min(0.25 + 0.055 * rows, 2.0)


def constraints(seen: Seen) -> Part:
    """The section on the fraction of points that each constraint excludes, and on constraints in tension."""
    names, threshold = list(seen.likelihoods), seen.target.threshold
    sample = seen.from_prior if seen.from_prior.sum() >= FEWEST else np.ones(len(seen.ids), dtype=np.bool_)
    whose = (
        "points spread over the prior or drawn from it"
        if sample is seen.from_prior
        else "all points, which do not follow the prior"
    )
    shares = _excluded(seen, sample)
    if not shares:
        return Part(["There is nothing that could exclude a point."])
    rules = [
        f"This counts {whose} ({int(sample.sum()):,}).",
        f"A constraint alone excludes a point if its loss is {show_number(threshold)} or more.",
        "Its share is that of points with an NLL. The shares of INVALID and failed points are those of all points.",
    ]
    words = [" ".join(rules)]
    rows = _tensions(seen, names)
    tables = []
    if rows:
        tables.append(
            Rows(
                "Pairs in tension: lowering one loss raises the other. The correlation is Spearman's, of the two "
                "losses near the best point. The last column is for points spread over the prior or drawn from it: how "
                "many satisfy both constraints, divided by the number to expect if the two were independent",
                ["first", "second", "correlation", "points near the best", "satisfy both / expected"],
                rows,
            )
        )
    elif len(names) > 1:
        words.append(
            "No pair of constraints is in tension: no two losses have a rank correlation below −0.3 near the best "
            "point."
        )
    return Part(words, tables=tables, pictures=[_picture_of_shares(shares)])


def _excluded(seen: Seen, sample: NDArray[np.bool_]) -> list[tuple[str, float]]:
    """The shares of the `sample`, shape (n,), that statuses and constraints exclude, the largest first. That of a
    constraint is a share of the points with an NLL.
    """
    ok, count = seen.ok & sample, int(sample.sum())
    shares: list[tuple[str, float]] = []
    for status in (Status.INVALID, Status.FAILED, Status.TIMED_OUT):
        for code in sorted({str(text) for text in seen.failed_code[sample & (seen.status == status)]}):
            at = sample & (seen.status == status) & (seen.failed_code == code)
            shares.append((f"{status.name} in {plain(code)}" if code else status.name, float(at.sum()) / count))
    for name, k in seen.likelihoods.items():
        excluded = ok & ~(seen.losses[:, k] < seen.target.threshold)
        shares.append((plain(name), float(excluded.sum()) / max(int(ok.sum()), 1)))
    return sorted(shares, key=lambda row: -row[1])


def _picture_of_shares(shares: Sequence[tuple[str, float]]) -> Picture:
    drawn = shares[:MOST][::-1]
    panel = Panel(
        Side("excluded (%)", "excluded (%)", limits=(0.0, 100.0)),
        Side(categories=[name for name, _ in drawn]),
        [Bars(100.0 * np.array([share for _, share in drawn]))],
        tall=_tall(len(drawn)),
    )
    says = "Share of points that each constraint alone excludes: " + ", ".join(
        f"{name} {show_percent(share)}" for name, share in shares[:MOST]
    )
    return Picture("constraints", says, [panel], "Share of points that each constraint alone excludes.", columns=1)


def _tensions(seen: Seen, names: list[str]) -> list[list[str]]:
    """Table rows with the most negative correlations between losses at the points with the lowest NLL; empty with fewer
    than 20 points.
    """
    rows = np.flatnonzero(seen.good)
    if len(rows) < 20:
        ok = np.flatnonzero(seen.ok)
        rows = ok[np.argsort(seen.nll[ok])[:100]]
    if len(rows) < 20 or len(names) < 2:
        return []
    names = sorted(names, key=lambda name: -float(np.nanstd(seen.losses[rows, seen.likelihoods[name]])))[:60]
    losses = seen.losses[rows][:, [seen.likelihoods[name] for name in names]]
    found = ranks_correlation(losses)
    sample = seen.ok & seen.from_prior
    satisfied = {name: seen.losses[sample, seen.likelihoods[name]] < seen.target.threshold for name in names}
    pairs = [
        (float(found[i, j]), names[i], names[j]) for i, j in combinations(range(len(names)), 2) if found[i, j] < -0.3
    ]
    table = []
    for value, first, second in sorted(pairs)[:10]:
        expected = satisfied[first].mean() * satisfied[second].mean() if sample.any() else 0.0
        together = f"{(satisfied[first] & satisfied[second]).mean() / expected:.2f}" if expected > 0 else "unknown"
        table.append([first, second, f"{value:+.2f}", f"{len(rows):,}", together])
    return table


def ranks_correlation(values: Floats) -> Floats:
    """Spearman's rank correlation between columns of values (n, k), shape (k, k); NaN for a constant column."""
    ranks: Any = np.apply_along_axis(
        _ranks, 0, np.where(np.isfinite(values), values, np.nanmax(values, initial=0.0) + 1.0)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.corrcoef(ranks, rowvar=False)
    return found


def _ranks(values: Floats) -> Floats:
    """The rank of each value, shape (n,); equal values share their mean rank, as in `scipy.stats.rankdata`; to load
    scipy.stats takes longer than to draw a picture.
    """
    _, position, count = np.unique(values, return_inverse=True, return_counts=True)
    mean: Floats = np.cumsum(count) - (count - 1) / 2
    found: Floats = mean[position]
    return found


def correlations(seen: Seen) -> Part:
    """The section on rank correlations of variables and observables over the good points."""
    if seen.good.sum() < 20:
        return Part([f"Correlations need 20 good points; there are {int(seen.good.sum())}."])
    variables = [variable.name for variable in seen.variables]
    kept = [name for name in variables if name in restricted(seen)[:MOST_CELLS]]
    observed = [name for name in seen.likelihoods if np.isfinite(seen.columns[name][seen.good]).all()]
    others = [
        observable.name
        for observable in seen.stored.observables
        if observable.name not in observed and np.isfinite(seen.columns[observable.name][seen.good]).all()
    ]
    named = (kept + observed + others)[: max(MOST_CELLS, len(kept))][:MOST_CELLS]
    if len(named) < 2:
        return Part(["There are no two columns with numbers at all good points."])
    found = ranks_correlation(np.column_stack([seen.columns[name][seen.good] for name in named]))
    found = np.atleast_2d(found)
    terms = {spec.name for spec in seen.scan.all_observables() if spec.term is not None}
    labels = [f"loss of {plain(name)}" if name in terms else plain(name) for name in named]
    below = np.where(np.tri(len(named), k=-1, dtype=np.bool_), found, np.nan)
    strong = sorted(
        (
            (float(below[i, j]), labels[i], labels[j])
            for i in range(len(named))
            for j in range(i)
            if abs(below[i, j]) > 0.5
        ),
        key=lambda row: -abs(row[0]),
    )
    listed = "; ".join(f"{a} and {b} {value:+.2f}" for value, a, b in strong[:10]) or "none is stronger than 0.5"
    tall = min(0.2 + 0.09 * len(labels), 0.9)
    panel = Panel(Side(categories=labels[:-1]), Side(categories=labels[1:]), [Cells(below[1:, :-1])], tall=tall)
    caption = (
        f"Spearman's rank correlation over {int(seen.good.sum()):,} good points. They map a region and are not a "
        "sample of a distribution."
    )
    if len(named) < len(variables) + len(seen.stored.observables):
        caption += f" {len(named)} of {len(variables) + len(seen.stored.observables)} columns."
    return Part(
        [f"Strongest: {listed}."],
        pictures=[
            Picture("correlations", f"Rank correlations over good points: {listed}.", [panel], caption, columns=1)
        ],
    )
