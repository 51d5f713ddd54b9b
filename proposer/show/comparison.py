"""What two runs found, side by side: hit rates, best points, and how far their good regions agree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from proposer.run.dataset import Dataset
from proposer.run.record import RunRecord
from proposer.show.plots import read_scan
from proposer.show.tally import read_tally
from proposer.space import Space
from proposer.types import Floats, Status

MILESTONES = (1, 10, 100, 1_000, 10_000, 100_000)
"""Numbers of good points for which the evaluations are counted."""

MOST = 0.95
"""The spacing of points is the distance within which this fraction of them has a neighbour."""

FEWEST = 10
"""The fewest good points that show a region."""


@dataclass(frozen=True)
class Run:
    """A run. `points`: status, NLL and observables, by the values of the variables. `good`: the values of the variables
    at the m good points, shape (m, d).
    """

    folder: Path
    space: Space
    observables: list[str]
    facts: dict[str, Any]
    points: Mapping[tuple[float, ...], tuple[Status, float, Floats]]
    good: Floats

    @property
    def variables(self) -> list[str]:
        """The names of the variables."""
        return self.space.names


def read_run(folder: Path) -> Run:
    """Reads a run. Raises DatasetError and ScanFileError."""
    with Dataset(folder, read_only=True) as dataset:
        columns, record = dataset.columns, RunRecord.read(dataset.meta())
        tally = read_tally(dataset, record.points, record.target)
        space = Space(read_scan(folder).variables)
        points, good, best = {}, [np.empty((0, space.dim))], dict[str, float]()
        origins, hits = Counter[str](), Counter[str]()
        milestones, evaluated, found = {}, 0, 0
        for part in dataset.results():
            rows = zip(part.params.tolist(), part.status.tolist(), part.nll.tolist(), part.observables, strict=True)
            points.update(
                {tuple(values): (Status(status), nll, observables) for values, status, nll, observables in rows}
            )
            is_good = (part.status == Status.OK) & tally.target.contains(part.nll)
            good.append(part.params[is_good])
            for row in np.flatnonzero(part.nll == tally.best)[:1].tolist() if not best else ():
                best = {"id": int(part.ids[row]), **dict(zip(space.names, part.params[row].tolist(), strict=True))}
            for origin, hit in zip(part.origins, is_good.tolist(), strict=True):
                origins[origin] += 1
                hits[origin] += hit
                evaluated, found = evaluated + (origin != "init"), found + (origin != "init" and hit)
                if found in MILESTONES and found not in milestones:
                    milestones[found] = evaluated
    facts: dict[str, Any] = {
        "folder": str(folder),
        "evaluator": record.backend,
        "good": tally.good,
        **tally.target.to_meta(),
        "evaluated": tally.evaluated,
        "given": tally.good_known,
        "rescored_from": record.rescored_from,
        "hit_rate": tally.hit_rate,
        "lowest_nll": tally.best if math.isfinite(tally.best) else None,
        "best_point": best or None,
        "seconds": record.seconds,
        "seed": record.seed,
        "stopped": record.stopped,
        "evaluations_to_good": milestones,
        "origins": {origin: {"points": points_of, "good": hits[origin]} for origin, points_of in origins.items()},
    }
    values = np.concatenate(good)
    low, high = (limit(values, axis=0).tolist() if len(values) else [] for limit in (np.min, np.max))
    facts["ranges_of_good"] = {name: list(ends) for name, *ends in zip(space.names, low, high, strict=False)}
    names = [quantity.name for quantity in columns.observables]
    return Run(folder, space, names, facts=facts, points=points, good=values)


def share_in(run: Run, other: Run) -> float | None:
    """The fraction of the good points of `run` that lie in the region that `other` found; None if either has too few.

    A point lies in that region if a good point of `other` is within a distance that is as large as the spacing of good
    points: for 95 % of the good points of either run, the nearest good point of the same run is closer. Distances are
    those in the unit cube of the prior of `run`.
    """
    inside = run.space.inside(other.good).all(axis=1)  # the other run may have wider ranges
    ours, theirs = run.space.to_unit(run.good), run.space.to_unit(other.good[inside])
    if min(len(run.good), len(other.good)) < FEWEST:
        return None
    if len(theirs) < FEWEST:
        return 0.0
    distance = max(_spacing(ours), _spacing(theirs))
    return float(np.mean(cKDTree(theirs).query(ours)[0] <= distance))


def _spacing(points: Floats) -> float:
    """The distance below which most points, shape (m, d), have a neighbour."""
    return float(np.quantile(np.asarray(cKDTree(points).query(points, k=2)[0])[:, 1], MOST))


def ratios(first: Run, second: Run, points: Sequence[tuple[float, ...]]) -> dict[str, dict[str, float | None]]:
    """Ratios and differences of the NLL and of each common observable at points that are OK in both runs."""
    compared = {}
    names = ["NLL", *(name for name in first.observables if name in second.observables)]
    for name in names if points else ():
        ours, theirs = (np.array([_value(run, point, name) for point in points]) for run in (first, second))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = theirs / ours
        ratio = ratio[np.isfinite(ratio)]
        apart = np.abs(theirs - ours)
        compared[name] = {
            "least": float(ratio.min()) if len(ratio) else None,
            "median": float(np.median(ratio)) if len(ratio) else None,
            "largest": float(ratio.max()) if len(ratio) else None,
            "difference": float(np.nanmax(apart)) if np.isfinite(apart).any() else None,
        }
    return compared


def _value(run: Run, point: tuple[float, ...], name: str) -> float:
    _, nll, observables = run.points[point]
    return nll if name == "NLL" else float(observables[run.observables.index(name)])
