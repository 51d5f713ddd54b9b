"""`lodescan compare`: compares two runs, and their results at the same points."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from proposer.formats import show_number, show_time
from proposer.run.dataset import Dataset
from proposer.show.panel import show_percent
from proposer.show.tally import read_tally
from proposer.target import Target
from proposer.types import Floats, Status
from scanspec import UsageError


@dataclass(frozen=True)
class Run:
    """The data of a run for the comparison. `points` has status, NLL, and observables by the values of the
    variables.
    """

    folder: Path
    variables: list[str]
    observables: list[str]
    facts: dict[str, Any]
    points: Mapping[tuple[float, ...], tuple[Status, float, Floats]]


def compare(folders: Sequence[Path], *, as_json: bool = False) -> int:
    """Prints the results of two runs, and compares statuses and values at their common points.

    Raises DatasetError, and UsageError if the runs have different variables.
    """
    first, second = (_read(folder) for folder in folders)
    if first.variables != second.variables:
        raise UsageError(
            f"the runs have different variables: {', '.join(first.variables)}; {', '.join(second.variables)}",
            next_step="compare runs of the same variables, in the same order",
        )
    both = [point for point in first.points if point in second.points]
    pairs = Counter((first.points[values][0].name, second.points[values][0].name) for values in both)
    ok = [values for values in both if first.points[values][0] is second.points[values][0] is Status.OK]
    columns = _columns(first, second, ok)
    if as_json:
        statuses = [{"first": a, "second": b, "points": points} for (a, b), points in sorted(pairs.items())]
        runs = [first.facts, second.facts]
        print(
            json.dumps({"runs": runs, "both": len(both), "statuses": statuses, "both_ok": len(ok), "values": columns})
        )
        return 0
    for run in (first, second):
        print(_show_facts(run.facts))
    print(f"{len(both):,} points are in both runs")
    for (a, b), points in sorted(pairs.items()):
        print(f"  {a}, {b}: {points:,}")
    if ok:
        print(f"{len(ok):,} are OK in both; second/first: smallest, median, largest; largest difference")
    for name, found in columns.items():
        ratios = ", ".join(map(_show, (found["least"], found["median"], found["largest"])))
        print(f"  {name}: {ratios}; {_show(found['difference'])}")
    return 0


def _show(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _columns(first: Run, second: Run, points: Sequence[tuple[float, ...]]) -> dict[str, dict[str, float | None]]:
    """Ratios and differences of the NLL and of each common observable at points that are OK in both runs."""
    found = {}
    names = ["NLL", *(name for name in first.observables if name in second.observables)]
    for name in names if points else ():
        ours, theirs = (np.array([_value(run, point, name) for point in points]) for run in (first, second))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = theirs / ours
        ratios = ratios[np.isfinite(ratios)]
        apart = np.abs(theirs - ours)
        found[name] = {
            "least": float(ratios.min()) if len(ratios) else None,
            "median": float(np.median(ratios)) if len(ratios) else None,
            "largest": float(ratios.max()) if len(ratios) else None,
            "difference": float(np.nanmax(apart)) if np.isfinite(apart).any() else None,
        }
    return found


def _value(run: Run, point: tuple[float, ...], name: str) -> float:
    _, nll, observables = run.points[point]
    return nll if name == "NLL" else float(observables[run.observables.index(name)])


def _read(folder: Path) -> Run:
    with Dataset(folder, read_only=True) as dataset:
        columns, meta = dataset.columns, dataset.meta()
        tally = read_tally(dataset, int(meta["points"]), Target.stored(meta))
        points = {}
        for part in dataset.results():
            rows = zip(part.params.tolist(), part.status.tolist(), part.nll.tolist(), part.observables, strict=True)
            points.update({tuple(values): (Status(s), nll, observables) for values, s, nll, observables in rows})
    facts = {
        "folder": str(folder),
        "evaluator": meta["backend"],
        "good": tally.good,
        **tally.target.to_meta(),
        "evaluated": tally.evaluated,
        "given": tally.given,
        "hit_rate": tally.hit_rate,
        "lowest_nll": tally.best if math.isfinite(tally.best) else None,
        "seconds": float(meta["seconds"]),
        "seed": meta["seed"],
        "stopped": meta.get("stopped"),
    }
    variables, observables = ([quantity.name for quantity in part] for part in (columns.variables, columns.observables))
    return Run(folder, variables, observables, facts, points)


def _show_facts(facts: Mapping[str, Any]) -> str:
    lowest = "none" if facts["lowest_nll"] is None else show_number(facts["lowest_nll"])
    came = f" ({facts['given']:,} of them from init_csv)" if facts["given"] else ""
    return (
        f"{facts['folder']}: {facts['good']:,} good ({Target.stored(facts).describe()}){came}; {facts['evaluated']:,} "
        f"evaluated, hit rate {show_percent(facts['hit_rate'])}, lowest NLL {lowest}, {show_time(facts['seconds'])}; "
        f"evaluator {facts['evaluator']}"
    )
