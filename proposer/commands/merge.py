"""`lodescan merge`: puts the points of several runs of a scan into one folder, for tables, pictures, and reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from proposer.run.dataset import DATASET, Dataset
from proposer.run.files import DatasetError
from proposer.run.folder import check_no_foreign_files
from proposer.run.manifest import keep_records
from proposer.run.record import RunRecord
from proposer.run.rows import Results
from proposer.run.tables import GOOD_POINTS, GoodPoints
from proposer.show.voice import say
from proposer.types import Batch, Outcome, Status
from scanspec import UsageError
from scanspec.text import quoted

SAME = {
    "variables": "variables",
    "observables": "observables",
    "codes": "names of codes",
    "physics_digest": "contents of codes (the physics digest)",
    "likelihood_digest": "constants of the likelihood",
}
"""The stored values that must be equal in all runs, with their names in messages."""


def merge(into: Path, folders: Sequence[Path]) -> int:
    """Writes the evaluated points of all runs into a new folder. A point in several runs is taken from the first of
    them. Returns 0.

    Raises DatasetError for a run that cannot be read, and UsageError for fewer than two runs, for runs that differ in
    their physics or likelihood, and for a folder that already has a run.
    """
    if len(folders) < 2:
        raise UsageError("a merge needs at least two runs", next_step="name two or more folders")
    if (into / DATASET).exists():
        raise UsageError(f"{into} already contains a run", next_step="name a new folder")
    check_no_foreign_files(into)
    metas = [_meta(folder) for folder in folders]
    first, *others = records = [RunRecord.read(meta) for meta in metas]
    for folder, record in zip(folders[1:], others, strict=True):
        _check_same(folders[0], first, folder, record)
    with Dataset(into) as merged:
        again = 0
        for folder in folders:
            with Dataset(folder, read_only=True) as dataset:
                if not merged.meta():
                    merged.start(dataset.columns, _merged(metas[0], records, folders))
                again += sum(_add(merged, part) for part in dataset.results())
        keep_records(merged)
        GoodPoints(into / GOOD_POINTS, first.variables, first.observables, first.target).rewrite(merged)
        twice = f"; {again:,} were in several runs" if again else ""
        say(f"{into}: {merged.points:,} points of {len(folders)} runs, {merged.count_good(first.target):,} good{twice}")
        say(f"good points: {into / GOOD_POINTS}")
        table = f"`lodescan export {quoted(into)}`"
        say(f"to continue the search from these points: init_csv in setup, with the table of {table}")
    return 0


def _meta(folder: Path) -> dict[str, Any]:
    """The table `meta` of a run. Raises DatasetError if the run has not started."""
    with Dataset(folder, read_only=True) as dataset:
        if not (meta := dataset.meta()):
            raise DatasetError(f"{folder}: the run has not started yet", next_step="leave it out")
        return meta


def _check_same(first: Path, ours: RunRecord, other: Path, theirs: RunRecord) -> None:
    """Raises UsageError if the physics, the likelihood, or the threshold of two runs differ."""
    differs = [words for name, words in SAME.items() if getattr(ours, name) != getattr(theirs, name)]
    if ours.target.rule != theirs.target.rule:
        differs.append("threshold_value")
    if differs:
        next_step = "merge runs of one scan file, with different seeds or types"
        if ours.physics_digest == theirs.physics_digest:  # otherwise the stored observables differ too
            next_step += ", or first change one run with `lodescan rescore`"
        raise UsageError(
            f"{other} and {first} cannot be merged: they differ in {', '.join(differs)}", next_step=next_step
        )


def _merged(first: dict[str, Any], records: Sequence[RunRecord], folders: Sequence[Path]) -> dict[str, Any]:
    """The table `meta` of the merged run, from that of the first run and the records of all runs."""
    merged_from = [
        {"folder": str(folder), "seed": record.seed, "seconds": record.seconds}
        for folder, record in zip(folders, records, strict=True)
    ]
    manifest = {**first.get("manifest", {}), "merged_from": merged_from}
    left_out = ("live", "same_physics", "stopped_with")
    kept = {key: value for key, value in first.items() if key not in left_out}
    seconds = sum(record.seconds for record in records)
    new = {"merged_from": merged_from, "manifest": manifest, "seconds": seconds, "points": 0}
    return {**kept, **new, "stopped": f"merged from {len(folders)} runs"}


def _add(merged: Dataset, part: Results) -> int:
    """Adds points with their answers, and returns the number of those that an earlier run had."""
    again = 0
    for iteration in np.unique(part.iterations).tolist():
        here = part.where(part.iterations == iteration)
        added = merged.add_batch(Batch(here.u, here.origins, iteration), here.params, b"")
        new = here.where(added.kept)
        merged.record([_outcome(new, row, point) for row, point in enumerate(added.ids.tolist())])
        again += int((~added.kept).sum())
    return again


def _outcome(points: Results, row: int, number: int) -> Outcome:
    """The answer of a stored point, for its id in the merged run."""
    ok = points.status[row] == Status.OK
    return Outcome(
        number,
        Status(int(points.status[row])),
        nll=float(points.nll[row]) if ok else None,
        observables=points.observables[row].tolist(),
        losses=points.losses[row].tolist() if ok else (),
        seconds=points.seconds[row].tolist(),
        failed_code=points.failed_code[row],
        message=points.message[row],
        warnings=points.warnings[row],
        missing=points.missing[row],
    )
