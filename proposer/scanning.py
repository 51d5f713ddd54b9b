"""Runs a scan of a file with a backend that evaluates points, for the command and for notebooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from proposer.asked import Asked, check_agreement, describe_limits, notes_on
from proposer.ending import conclude, conclude_again, draw_pictures
from proposer.evaluation.backend import Description, EvaluationBackend, NoEvaluator
from proposer.formats import show_count
from proposer.loop import Scan
from proposer.run.dataset import DATASET, Dataset
from proposer.run.folder import check_no_foreign_files
from proposer.run.manifest import (
    AnotherRun,
    another_run,
    change_target,
    check_same_evaluator,
    choose_seed,
    columns_of,
    is_finished,
    keep_records,
    keep_scan_file,
    merged_run,
    note_best,
    note_eager,
    note_scan_file,
    scan_difference,
    start_run,
    stop_values,
    target_change,
)
from proposer.run.record import RunRecord
from proposer.run.spectra import keeps_good_ones, kept_below
from proposer.run.tables import GOOD_POINTS, GoodPoints
from proposer.show.failures import show_failed
from proposer.show.progress import About, Progress
from proposer.show.recount import Recount
from proposer.show.tally import Tally, read_tally
from proposer.show.unchanging import Unchanging
from proposer.show.voice import say
from proposer.show.watcher import Watcher
from proposer.strategies.base import Strategy
from proposer.strategies.choice import TYPES, make_strategy, type_name
from proposer.strategies.torch_loading import load_torch
from proposer.types import Outcome
from proposer.wire.attendance import Purpose
from proposer.wire.pool import Pool
from proposer.wire.security import PLAIN, Security
from scanspec import ScanFile
from scanspec.settings import reads_rows

WAIT_AT_START, WAIT_LATER = 60.0, 600.0
"""Seconds to wait for an evaluator at the start of a scan, and later, if the user gives no number."""


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """A user's choices besides the scan file. `wait`: seconds to wait for an evaluator; `folder`: None for
    runs/NAME.
    """

    folder: Path | None = None
    seed: int | None = None
    wait: float | None = None
    eager: bool = False
    same_physics: bool = False
    report: bool = True

    def folder_of(self, spec: ScanFile) -> Path:
        """The folder of the run."""
        return self.folder or Path("runs") / spec.run_name


Follow = Callable[[Tally, Description, Path], Sequence[Watcher]]
"""Makes the watchers of a scan, from its tally, the evaluators' description, and the dataset's file."""


def open_pool(
    asked: Asked, places: Sequence[str], *, security: Security = PLAIN, race: bool = True, trace: int = 0
) -> Pool:
    """The evaluators at these addresses. They return the spectrum files that the scan file asks for. `trace`: see
    Purpose.
    """
    return Pool(
        places,
        security=security,
        say=say,
        purpose=Purpose(
            spectra_below=kept_below(asked.spec, asked.settings.target),
            file=asked.spec.path,
            run=asked.spec.run_name,
            trace=trace,
        ),
        race=race,
    )


def scan_with(backend: EvaluationBackend, asked: Asked, options: ScanOptions, follow: Follow = lambda *_: ()) -> int:
    """Runs a scan, or goes on with the one in the folder, until a stop condition is met. Returns 0 if there is a good
    point, else ALL_FAILED or NONE_GOOD.

    Everything is checked before anything is written. Raises ScanFileError, DatasetError, AnotherRun, NoEvaluator, and
    EvaluatorRefused.
    """
    spec = asked.spec
    with ExitStack() as opened:
        opened.callback(backend.close)
        # 1. Read the run in the folder, if there is one.
        found = _look(opened, asked, options)
        # 2. Find an evaluator for this scan file. A finished run needs none.
        try:
            description = _describe(backend, asked, options, found)
        except NoEvaluator:
            if found.dataset is None or not found.done:
                raise
            code = conclude_again(found.dataset, asked.limits, asked.settings, found.stored)
        else:
            # 3. Begin the run, or go on with it, and search until a stop condition is met.
            run = _begin(opened, asked, options, found, description)
            reason, tally, seconds = _search(backend, asked, options, run, follow)
            # 4. Store why the scan has stopped. Only then may evaluators end.
            # A run whose every point failed goes on with the same limits, because the fault may lie outside it.
            limits = None if tally.hopeless else stop_values(spec)
            run.dataset.set_meta({"stopped": reason, "stopped_with": limits})
            note_best(run.dataset, asked.settings.target)
            backend.finish()
            # 5. Report the result.
            code = conclude(run.dataset, reason, tally, seconds)
        draw_pictures(options.folder_of(spec), spec, report=options.report)
    return code


@dataclass(frozen=True)
class _Found:
    """The content of the folder.

    `dataset`: None if no run was begun. `differs`: why this scan cannot go on with the run there; None if it can.
    `changed`: the change of the target in words; None if it is the same. `done`: whether the run is finished.
    """

    dataset: Dataset | None
    stored: RunRecord
    differs: str | None
    changed: str | None
    done: bool


@dataclass(frozen=True)
class _Run:
    """The parts of a run that a search needs; `seconds`: wall time of all earlier commands."""

    dataset: Dataset
    strategy: Strategy
    description: Description
    seconds: float


def _look(opened: ExitStack, asked: Asked, options: ScanOptions) -> _Found:
    """Reads the folder. Opens the dataset for writing, because a kill may have left half a commit, which only a writer
    can undo. Raises DatasetError, AnotherRun, and ScanFileError.
    """
    spec, folder = asked.spec, options.folder_of(asked.spec)
    dataset = opened.enter_context(Dataset(folder)) if (folder / DATASET).exists() else None
    stored = RunRecord() if dataset is None else RunRecord.read(dataset.meta())
    if stored.merged_from:
        raise merged_run(folder)
    if not stored.started:
        check_no_foreign_files(folder)
        if asked.init is not None:
            asked.init.check()
    changed, differs = target_change(stored, asked.settings.target), None
    if stored.started:
        differs = scan_difference(folder, stored, spec, options.seed, but_for_target=changed is not None)
    done = differs is None and changed is None and is_finished(stored, spec)
    return _Found(dataset, stored, differs, changed, done)


def _describe(backend: EvaluationBackend, asked: Asked, options: ScanOptions, found: _Found) -> Description:
    """The description of the first evaluator that fits the scan file and the run. Raises NoEvaluator, EvaluatorRefused,
    and AnotherRun.
    """

    def fits(description: Description) -> None:
        check_agreement(asked.spec, description, backend.where)
        if found.differs is not None:
            raise another_run(options.folder_of(asked.spec), found.differs)
        if found.dataset is not None and found.stored.started:
            check_same_evaluator(found.dataset, found.stored, description, same_physics=options.same_physics)

    if TYPES[type_name(asked.spec)].networks and not found.done:
        load_torch()  # while the evaluators start
    wait = WAIT_AT_START if options.wait is None else options.wait
    return backend.describe(0.0 if found.done else wait, fits)


def _begin(opened: ExitStack, asked: Asked, options: ScanOptions, found: _Found, description: Description) -> _Run:
    """Starts a run, or updates the stored run, and prints what is scanned."""
    spec, settings, limits, space, init = asked
    folder, stored = options.folder_of(spec), found.stored
    seed = choose_seed(spec, options.seed, stored)
    threads = opened.enter_context(_threads(stored, networks=TYPES[type_name(spec)].networks))
    strategy = make_strategy(type_name(spec), space, settings, seed, description.observables)
    if options.eager and not strategy.eager:
        raise spec.setup.error(f"{type_name(spec)} learns from whole batches, so it cannot scan with --eager", "type")
    columns = columns_of(spec, description)
    dataset = found.dataset or opened.enter_context(Dataset(folder))
    aims = {"points": limits.points, **settings.target.to_meta(), "stopped": None}
    if stored.started:
        if found.changed is not None:
            change_target(dataset, spec, settings.target, found.changed)
            say(f"note: {found.changed}; every point is counted anew")
        dataset.set_meta(aims)
    else:
        if dataset.meta():
            raise AnotherRun(
                f"{folder}: another process has just started a run here", next_step="choose another folder"
            )
        start_run(dataset, columns, scan=spec, description=description, seed=seed, threads=threads, aims=aims)
    keep_scan_file(folder, spec)  # limits, labels, units and pictures may have changed
    note_scan_file(dataset, spec)
    if word := keep_records(dataset):
        say(f"note: {word}")
    if options.eager:
        note_eager(dataset)
    if init is not None and dataset.batches == 0:
        known = init.outcomes(spec, [observable.name for observable in description.observables])
        dataset.add_batch(init.batch, init.values, strategy.checkpoint(), known)
    _introduce(asked, description, folder=folder, seed=seed, dataset=dataset if stored.started else None)
    return _Run(dataset, strategy, description, stored.seconds)


def _search(
    backend: EvaluationBackend, asked: Asked, options: ScanOptions, run: _Run, follow: Follow
) -> tuple[str, Tally, float]:
    """Scans until a stop condition is met. Returns the reason in words, the counts, and the wall time of all commands
    in seconds.
    """
    spec, settings, limits, space, _ = asked
    folder, dataset, description = options.folder_of(spec), run.dataset, run.description
    most = min(limits.evaluations, limits.points) if reads_rows(spec.setup) else limits.evaluations
    names = [observable.name for observable in description.observables]
    tally = read_tally(dataset, limits.points, settings.target, most, names)

    def explain(failed: Outcome) -> list[str]:
        found = dataset.point(failed.id)
        values = None if found is None else found.params[0]
        return show_failed(spec.path, space.names, values, failed.failed_code, failed.message)

    about = About(
        run=spec.run_name,
        method=type_name(spec),
        variables=space.names,
        evaluator=f"{description.backend} on {backend.where}",
        workers=description.concurrency,
        seconds=run.seconds,
    )
    with Progress(tally, explain, about) as progress:
        scan = Scan(
            dataset=dataset,
            strategy=run.strategy,
            space=space,
            backend=backend,
            good_points=GoodPoints(folder / GOOD_POINTS, list(space.names), names, settings.target, limits.points),
            limits=limits,
            tally=tally,
            progress=progress,
            wait=WAIT_LATER if options.wait is None else options.wait,
            eager=options.eager,
            files_of_good=settings.target.follows and keeps_good_ones(spec),
            watchers=[
                Recount(description.observables),
                Unchanging(space.names, names),
                *follow(tally, description, folder / DATASET),
            ],
        )
        reason = scan.run()
    return reason, tally, scan.seconds


@contextmanager
def _threads(stored: RunRecord, *, networks: bool) -> Iterator[int]:
    """Sets torch's number of threads in the block. Sums depend on this number, so a run keeps the one that it started
    with.
    """
    threads = stored.threads if stored.started else min(os.cpu_count() or 1, 8)
    if not networks:
        yield threads
        return
    import torch

    before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("error")  # `use_deterministic_algorithms` would load torch's compiler
    try:
        yield threads
    finally:
        torch.set_num_threads(before[0])
        torch.set_deterministic_debug_mode(before[1])


def _introduce(asked: Asked, description: Description, *, folder: Path, seed: int, dataset: Dataset | None) -> None:
    """Prints what is scanned, and how. `dataset` is that of a run that goes on, else None."""
    spec, settings, limits, _, init = asked
    at_once = show_count(description.concurrency, "point")
    say(
        f"{spec.run_name}: {show_count(len(spec.variables), 'variable')}; evaluator {description.backend}, "
        f"{at_once} at once"
    )
    target = (settings.target if dataset is None else dataset.now(settings.target)).describe()
    say(f"good: {target}; stops at {describe_limits(limits)}; seed {seed}; folder {folder}")
    for line in notes_on(spec, settings.target.threshold):
        say(f"note: {line}")
    for line in init.notes if init is not None and dataset is None else []:
        say(f"note: {line}")
    if dataset is not None and dataset.points:
        pending = dataset.count_pending()
        answers = f"{pending:,} of them have no answer yet" if pending else "all have their answer"
        say(f"going on: {dataset.points:,} points were asked for before, {answers}")
