"""`lodescan status`: what a run has found so far, also while it goes on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from proposer.formats import show_time
from proposer.run.dataset import Dataset
from proposer.run.tables import GOOD_POINTS
from proposer.scan import read_tally
from proposer.show.costs import Cost, costs, show_costs
from proposer.show.failures import Kind, failure_kinds, scan_file, show_reasons
from proposer.show.tally import Tally
from proposer.target import Target


def status(folder: Path, *, as_json: bool = False) -> int:
    """Prints counts, the best point, time, and where the files are. Raises DatasetError when there is no run."""
    with Dataset(folder, read_only=True) as dataset:
        meta = dataset.meta()
        if not meta:
            print(json.dumps({"folder": str(folder), "started": False}) if as_json else f"{folder}: {NOT_STARTED}")
            return 0
        dataset.check()
        names = list(meta.get("observables", []))
        tally = read_tally(dataset, int(meta["points"]), Target.stored(meta), names=names)
        kinds = failure_kinds(dataset)
        spent = costs(dataset.seconds(), meta.get("codes", []))
        if as_json:
            print(json.dumps(_to_json(dataset, meta, tally, kinds, spent)))
        else:
            _print(dataset, meta, tally, kinds, spent)
    return 0


NOT_STARTED = "the run has not started yet"


def _origins(dataset: Dataset) -> dict[str, int]:
    origins: dict[str, int] = {}
    for (origin, _), points in dataset.counts().items():
        origins[origin] = origins.get(origin, 0) + points
    return dict(sorted(origins.items()))


def _print(dataset: Dataset, meta: dict[str, Any], tally: Tally, kinds: list[Kind], spent: list[Cost]) -> None:
    folder = dataset.path.parent
    print(f"{folder}: {tally.good:,} of {tally.wanted:,} good points ({tally.target.describe()})")
    pending = dataset.count_pending()
    waiting = f"; {pending:,} asked for that have no answer yet" if pending else ""
    print(f"evaluated: {tally.evaluated:,} ({tally.breakdown()}){waiting}")
    print(f"asked for as: {', '.join(f'{points:,} {origin}' for origin, points in _origins(dataset).items())}")
    if tally.best < math.inf:
        print(tally.lowest())
    for line in show_reasons(kinds, scan_file(folder), list(meta.get("variables", []))):
        print(line)
    for line in show_costs(spent):
        print(line)
    print(f"time: {show_time(float(meta['seconds']))}; seed {meta['seed']}; evaluator {meta['backend']}")
    print(f"stopped: {meta['stopped']}" if meta.get("stopped") else "not finished; the same scan command goes on")
    if tally.good:
        print(f"good points: {folder / GOOD_POINTS}")


def _to_json(
    dataset: Dataset, meta: dict[str, Any], tally: Tally, kinds: list[Kind], spent: list[Cost]
) -> dict[str, Any]:
    folder, variables = dataset.path.parent, list(meta.get("variables", []))
    return {
        "folder": str(folder),
        "started": True,
        "good": tally.good,
        "wanted": tally.wanted,
        **tally.target.to_meta(),
        "evaluated": tally.evaluated,
        "statuses": {each.name: points for each, points in tally.by_status.items()},
        "pending": dataset.count_pending(),
        "origins": _origins(dataset),
        "lowest_nll": tally.best if math.isfinite(tally.best) else None,
        "lowest_losses": dict(zip(tally.names, tally.best_losses, strict=False)),
        "failures": [
            {
                "code": each.code,
                "message": each.message,
                "points": each.points,
                "last": dict(zip(variables, each.values.tolist(), strict=True)),
            }
            for each in kinds
        ],
        "codes": [
            {"name": each.name, "runs": each.runs, "seconds": each.seconds, "spared": each.spared} for each in spent
        ],
        "seconds": float(meta["seconds"]),
        "seed": meta["seed"],
        "evaluator": meta["backend"],
        "stopped": meta.get("stopped"),
        "good_points": str(folder / GOOD_POINTS) if tally.good else None,
    }
