"""`lodescan status`: shows the results of a run so far, also during the scan."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proposer.formats import show_good, show_time
from proposer.run.dataset import Dataset
from proposer.run.folder import is_held
from proposer.run.record import RunRecord
from proposer.run.tables import GOOD_POINTS
from proposer.show.costs import Cost, costs, show_costs
from proposer.show.evaluators import EvaluatorWork, evaluators_of, show_evaluators
from proposer.show.failures import FailureKind, failure_kinds, scan_file, show_reasons
from proposer.show.tally import Tally, read_tally


def status(folder: Path, *, as_json: bool = False) -> int:
    """Prints counts, the best point, the time, and the paths of the files. Returns 0. Raises DatasetError if there is
    no run.
    """
    with Dataset(folder, read_only=True) as dataset:
        record = RunRecord.read(dataset.meta())
        if not record.started:
            print(json.dumps({"folder": str(folder), "started": False}) if as_json else f"{folder}: {NOT_STARTED}")
            return 0
        dataset.check()
        tally = read_tally(dataset, record.points, record.target, names=record.observables)
        kinds = failure_kinds(dataset)
        spent = costs(dataset.seconds(), record.codes)
        evaluators = evaluators_of(dataset.results(), record.evaluators, record.worker_seconds)
        if as_json:
            print(json.dumps(_to_json(dataset, record, tally, kinds, spent) | {"evaluators": _evaluators(evaluators)}))
        else:
            _print(dataset, record, tally, kinds, [*show_costs(spent), *show_evaluators(evaluators, record.raced)])
    return 0


NOT_STARTED = "the run has not started yet"


def _origins(dataset: Dataset) -> dict[str, int]:
    origins: dict[str, int] = {}
    for (origin, _), points in dataset.counts().items():
        origins[origin] = origins.get(origin, 0) + points
    return dict(sorted(origins.items()))


def _evaluators(evaluators: list[EvaluatorWork]) -> list[dict[str, Any]]:
    return [asdict(evaluator) | {"idle": evaluator.idle} for evaluator in evaluators]


def _print(dataset: Dataset, record: RunRecord, tally: Tally, kinds: list[FailureKind], work: list[str]) -> None:
    folder = dataset.path.parent
    print(f"{folder}: {show_good(tally.good, tally.wanted)} points ({tally.target.describe()})")
    pending = dataset.count_pending()
    waiting = f"; {pending:,} requested points have no answer yet" if pending else ""
    print(f"evaluated: {tally.evaluated:,} ({tally.breakdown()}){waiting}")
    if record.rescored_from:
        taken = _origins(dataset).get("init", 0)
        print(f"taken from {record.rescored_from}, without evaluating them again: {taken:,} points (`init`)")
    print(f"proposed by: {', '.join(f'{points:,} {origin}' for origin, points in _origins(dataset).items())}")
    if tally.best < math.inf:
        print(tally.lowest())
    for line in show_reasons(kinds, scan_file(folder), record.variables):
        print(line)
    for line in work:
        print(line)
    print(f"time: {show_time(record.seconds)}; {_seeds(record)}; evaluator {record.backend}")
    if record.stopped:
        print(f"stopped: {record.stopped}")
    else:
        print("running" if is_held(folder) else "not finished; the same scan command continues it")
    if tally.good:
        print(f"good points: {folder / GOOD_POINTS}")


def _seeds(record: RunRecord) -> str:
    if not record.merged_from:
        return f"seed {record.seed}"
    return f"seeds {', '.join(str(run['seed']) for run in record.merged_from)}"


def _to_json(
    dataset: Dataset, record: RunRecord, tally: Tally, kinds: list[FailureKind], spent: list[Cost]
) -> dict[str, Any]:
    folder, variables = dataset.path.parent, record.variables
    return {
        "folder": str(folder),
        "started": True,
        "good": tally.good,
        "wanted": tally.wanted,
        **tally.target.to_meta(),
        "evaluated": tally.evaluated,
        "statuses": {status.name: points for status, points in tally.by_status.items()},
        "pending": dataset.count_pending(),
        "origins": _origins(dataset),
        "lowest_nll": tally.best if math.isfinite(tally.best) else None,
        "lowest_losses": dict(zip(tally.names, tally.best_losses, strict=False)),
        "failures": [
            {
                "code": kind.code,
                "message": kind.message,
                "points": kind.points,
                "last": dict(zip(variables, kind.values.tolist(), strict=True)),
            }
            for kind in kinds
        ],
        "codes": [
            {"name": code.name, "runs": code.runs, "seconds": code.seconds, "spared": code.spared} for code in spent
        ],
        "seconds": record.seconds,
        "seed": record.seed,
        "evaluator": record.backend,
        "raced": record.raced,
        "running": not record.stopped and is_held(folder),
        "stopped": record.stopped,
        "good_points": str(folder / GOOD_POINTS) if tally.good else None,
    }
