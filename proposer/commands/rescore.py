"""`lodescan rescore`: applies the constants, windows, and threshold of another scan file to a run's stored observables.

No point is evaluated. The new folder contains a run of the other file, which `lodescan scan` can continue.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proposer.asked import Asked, read_asked
from proposer.evaluation.backend import Description
from proposer.run.dataset import DATASET, Dataset, Results
from proposer.run.files import DatasetError
from proposer.run.folder import check_no_foreign_files
from proposer.run.manifest import choose_seed, columns_of, keep_records, keep_scan_file, note_best, start_run
from proposer.run.record import RunRecord
from proposer.run.tables import GOOD_POINTS, GoodPoints
from proposer.show.voice import say
from proposer.strategies.choice import make_strategy, type_name
from proposer.types import Batch, Observable, Outcome, Status
from scanspec import ObservableSpec, UsageError, losses_and_nll, read_scan_file
from scanspec.observables import outside
from scanspec.terms import work_out
from scanspec.text import argument

Windows = dict[str, tuple[float, float] | None]


@dataclass(frozen=True)
class Old:
    """The old run. `names`: its observables; `windows`: their windows by name. `positions`: the position there of each
    observable of the new file, None for a joint term.
    """

    folder: Path
    record: RunRecord
    windows: Windows
    positions: list[int | None]
    names: list[str]


def rescore(folder: Path, file: Path, into: Path | None) -> int:
    """Writes a new run with all points of an old run that lie in the ranges of the file. Returns 0.

    A point that an old window ended, but no new window ends, must be evaluated again, and is stored without an answer.
    Raises ScanFileError, DatasetError, and UsageError if the file needs values that the run has not stored.
    """
    asked = read_asked(file)
    if asked.init is not None:
        raise asked.spec.setup.error(
            "init_csv has no meaning for a rescore, which takes the points of a run", "init_csv"
        )
    into = into or Path("runs") / asked.spec.run_name
    if (into / DATASET).exists():
        raise UsageError(f"{into} already contains a run", next_step="name a new folder with --run")
    check_no_foreign_files(into)
    with Dataset(folder, read_only=True) as stored:
        old = _old(stored, folder, asked)
        parts = list(stored.results())
    new = _description(asked, old)
    seed = choose_seed(asked.spec, None, RunRecord())
    strategy = make_strategy(type_name(asked.spec), asked.space, asked.settings, seed, new.observables)
    aims = {"points": asked.limits.points, **asked.settings.target.to_meta(), "stopped": None}
    with Dataset(into) as dataset:
        columns = columns_of(asked.spec, new)
        start_run(
            dataset,
            columns,
            scan=asked.spec,
            description=new,
            seed=seed,
            threads=min(os.cpu_count() or 1, 8),
            aims=aims,
        )
        dataset.set_meta({"rescored_from": str(folder)})
        keep_scan_file(into, asked.spec)
        keep_records(dataset)
        left_out = _take_over(dataset, asked, old, parts, strategy.checkpoint())
        note_best(dataset, asked.settings.target)
        target, names = asked.settings.target, [observable.name for observable in new.observables]
        GoodPoints(into / GOOD_POINTS, list(asked.space.names), names, target, asked.limits.points).rewrite(dataset)
        _tell(dataset, old, left_out, asked)
    return 0


def _old(stored: Dataset, folder: Path, asked: Asked) -> Old:
    """Reads the old run. Raises UsageError if it lacks what the new file needs, and DatasetError."""
    record = RunRecord.read(stored.meta())
    names = [observable.name for observable in stored.columns.observables]
    if list(asked.space.names) != record.variables:
        raise UsageError(
            f"{asked.spec.path} does not have the variables of {folder}: {', '.join(record.variables)}",
            next_step="keep the variables and their order; only ranges and priors may change",
        )
    wanted = asked.spec.all_observables()
    if measured := [observable.name for observable in wanted if observable.measurement is not None]:
        raise UsageError(
            f"the likelihood of {', '.join(measured)} is the evaluator's own measurement",
            next_step="give mean and sigma, or start a new scan",
        )
    if absent := [observable.name for observable in wanted if observable.name not in names and observable.term is None]:
        raise UsageError(
            f"{folder} has not stored {', '.join(absent)}; it has {', '.join(names)}",
            next_step="leave it out, or start a new scan, because it must be evaluated",
        )
    files = sorted(folder.glob("scan.*"))
    if not files:
        raise DatasetError(f"{folder}: the copy of its scan file is missing", next_step="put it back as scan.yaml")
    windows = {observable.name: observable.valid for observable in read_scan_file(files[0]).all_observables()}
    positions = [None if observable.term is not None else names.index(observable.name) for observable in wanted]
    return Old(folder, record, windows, positions, names)


def _description(asked: Asked, old: Old) -> Description:
    """The description that an evaluator of the new file would give, except for the digest of its likelihood."""
    observables = tuple(
        Observable(
            observable.name,
            observable.unit,
            observable.code or "",
            observable.valid,
            observable.likelihood,
            term=observable.term,
        )
        for observable in asked.spec.all_observables()
    )
    return Description(
        backend=old.record.backend,
        version=old.record.backend_version,
        physics_digest=old.record.physics_digest,
        likelihood_digest="",
        parameters={},
        observables=observables,
        concurrency=0,
        max_batch=0,
        codes=tuple(old.record.codes),
        sources=old.record.sources,
    )


def _take_over(dataset: Dataset, asked: Asked, old: Old, parts: Sequence[Results], checkpoint: bytes) -> int:
    """Stores the points within the new ranges as one batch, and returns the number of those outside."""
    left_out, params, known = 0, [np.empty((0, len(asked.space.names)))], list[Outcome | None]()
    for part in parts:
        inside = np.asarray(asked.space.inside(part.params).all(axis=1), dtype=np.bool_)
        left_out += int((~inside).sum())
        params.append(part.params[inside])
        known += _score(part.where(inside), asked.spec.all_observables(), old)
    values = np.concatenate(params)
    batch = Batch(asked.space.to_unit(values), ["init"] * len(values), 0)
    dataset.add_batch(batch, values, checkpoint, known)
    return left_out


def _score(part: Results, wanted: Sequence[ObservableSpec], old: Old) -> list[Outcome | None]:
    """The new answers of points; None for points that must be evaluated."""
    nothing = np.full(len(part.status), np.nan)
    kept = [nothing if position is None else part.observables[:, position] for position in old.positions]
    table = work_out(
        [observable.name for observable in wanted], [observable.term for observable in wanted], np.column_stack(kept)
    )
    losses, nll = losses_and_nll([observable.likelihood for observable in wanted], table)
    ok = [
        Outcome(0, Status.OK, nll=value, observables=own, losses=of_row, warnings=warnings)
        for value, own, of_row, warnings in zip(
            nll.tolist(), table.tolist(), losses.tolist(), part.warnings, strict=True
        )
    ]
    return [_answer(part, row, if_complete, wanted, old) for row, if_complete in enumerate(ok)]


def _answer(
    part: Results, row: int, if_complete: Outcome, wanted: Sequence[ObservableSpec], old: Old
) -> Outcome | None:
    """The new answer of the point in a row: `if_complete`, unless it failed, a window ends it, or something is
    missing.
    """
    values, status = part.observables[row].tolist(), Status(int(part.status[row]))
    given = {name: x for k, (name, x) in enumerate(zip(old.names, values, strict=True)) if k not in part.missing[row]}
    missing = [k for k, observable in enumerate(wanted) if not _needs(observable) <= given.keys()]
    answer = Outcome(0, status, observables=if_complete.observables, missing=missing)
    # 1. A point that failed, or that its code called invalid, remains so.
    by_window = any(outside(name, x, old.windows.get(name)) for name, x in given.items())
    ended, why = next(
        ((own, why) for own in wanted if own.name in given and (why := outside(own.name, given[own.name], own.valid))),
        (None, ""),
    )
    by_code = status is Status.INVALID and not (by_window or ended)
    if status in (Status.FAILED, Status.TIMED_OUT) or by_code:
        return answer._replace(failed_code=part.failed_code[row], message=part.message[row])
    # 2. A window of the new file ends a point.
    if ended is not None:
        return answer._replace(status=Status.INVALID, failed_code=ended.code or "", message=why)
    # 3. Others have an NLL, if the old run stored all that it needs.
    return None if missing else if_complete


def _needs(spec: ObservableSpec) -> set[str]:
    """The stored observables that an observable needs: itself, or the arguments of a joint term."""
    return {spec.name} if spec.term is None else set(spec.term.observables)


def _tell(dataset: Dataset, old: Old, left_out: int, asked: Asked) -> None:
    counts: Counter[str] = Counter()
    for (_, status), points in dataset.counts().items():
        counts["to be evaluated" if status is None else status.name] += points
    words = ", ".join(f"{points:,} {name}" for name, points in sorted(counts.items()))
    into, file = dataset.path.parent, asked.spec.path
    say(f"{into}: {dataset.points:,} points of {old.folder}, scored by {file}: {words}")
    if left_out:
        say(f"left out: {left_out:,} points outside the ranges")
    before, now = old.record.target.describe(), dataset.now(asked.settings.target).describe()
    say(f"good: {now}" + (f"; before: {before}" if before != now else ""))
    say(f"good points: {dataset.count_good(asked.settings.target):,} ({into / GOOD_POINTS})")
    say(f"to go on: {shlex.join(['lodescan', 'scan', argument(file), '--run', argument(into)])}")
