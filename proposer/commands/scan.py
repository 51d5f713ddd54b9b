"""The commands scan and check: from a scan file to a run."""

from __future__ import annotations

import logging
import math
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from proposer.evaluation.backend import Description, EvaluatorRefused, NoEvaluator
from proposer.formats import show_time
from proposer.run.dataset import DATASET, Dataset, DatasetError
from proposer.run.files import NoRoom
from proposer.run.folder import check_no_foreign_files
from proposer.run.init_csv import InitPoints, read_init_csv
from proposer.run.manifest import (
    AnotherRun,
    another_run,
    check_same_evaluator,
    choose_seed,
    columns_of,
    is_finished,
    keep_records,
    keep_scan_file,
    note_eager,
    scan_difference,
    start_run,
    stop_values,
)
from proposer.run.spectra import FOLDER, kept_below
from proposer.run.tables import GOOD_POINTS, GoodPoints
from proposer.scan import Limits, Scan, read_tally
from proposer.show.failures import find_point, show_failed, show_reasons
from proposer.show.plots import draw, read_points
from proposer.show.progress import Progress, Tally
from proposer.space import Space
from proposer.strategies.base import Settings
from proposer.strategies.choice import make_strategy, read_settings, type_name
from proposer.target import NONE
from proposer.types import Outcome
from proposer.wire.agreement import disagreements, show
from proposer.wire.pool import Pool
from scanspec import PriorKind, ScanFile, ScanFileError, Variable, read_scan_file, visible
from scanspec.spectrum import FILES_NOT_KEPT
from scanspec.types import BSMARTS_GENERATIONS, BSMARTS_POINTS, counts_evaluations, is_bsmarts, reads_rows

WAIT_AT_START, WAIT_LATER = 60.0, 600.0

ALL_FAILED, NONE_GOOD = 4, 5
"""Exit codes of a scan that ended in order, but without a result."""

MANY = 20
"""Evaluations from which on it is worth a remark that every point is good."""

EVERY_TYPE = ("threshold_value", "points_per_iteration", "verbose")
"""Settings in the section networks that are not those of MLS_DNNC alone."""

OF_CMAES = ("population_size", "sigma", "sigma_tolerance", "mean", "generations", "episodes")
OF_CMAES_ND = (
    "novelty",
    "novelty_settings",
    "novelty_bins",
    "focus",
    "hierarchy",
    "seeds_csv",
    "good_points_early_stop",
    "no_good_points_patience",
    "best_loss_patience",
    "best_valid_constraints_patience",
)
"""Settings in the section setup of these types alone."""


def scan(
    file: Path,
    places: Sequence[str],
    folder: Path | None,
    seed: int | None,
    *,
    insecure: bool,
    wait: float | None,
    eager: bool,
    same_physics: bool,
    race: bool,
) -> int:
    """Runs a scan, or goes on with the one in `folder`; returns 0 when a stop condition was met,
    ALL_FAILED or NONE_GOOD when there is no result then.

    Everything is checked before anything is written.
    """
    spec, settings, limits, space, init = _read(file)
    level = max(logging.DEBUG, logging.WARNING - 10 * _verbose(spec))
    logging.basicConfig(level=level, format="%(name)s: %(message)s")
    folder = folder or Path("runs") / spec.run_name
    spectra_below = kept_below(spec, settings.target.threshold)
    with ExitStack() as opened:
        pool = Pool(places, insecure=insecure, say=_say, spectra_below=spectra_below, file=file, race=race)
        opened.callback(pool.close)
        # First of all, and as a writer: a kill may have left half a commit, which no reader can undo.
        dataset = opened.enter_context(Dataset(folder)) if (folder / DATASET).exists() else None
        stored = {} if dataset is None else dataset.meta()
        if not stored:
            check_no_foreign_files(folder)
        differs = scan_difference(folder, stored, spec, seed) if stored else None
        done = differs is None and is_finished(stored, spec)

        def fits(description: Description) -> None:
            _check_agreement(spec, description, pool.where)
            if differs is not None:
                raise another_run(folder, differs)
            if dataset is not None and stored:
                check_same_evaluator(dataset, stored, description, same_physics=same_physics)

        try:
            description = pool.describe(0.0 if done else WAIT_AT_START if wait is None else wait, fits)
        except NoEvaluator:
            if not done or dataset is None:
                raise
            code = _conclude_again(dataset, limits, settings, stored)
            _draw(folder, spec)
            return code
        seed = choose_seed(spec, seed, stored)
        threads = _set_threads(stored)
        strategy = make_strategy(type_name(spec), space, settings, seed, description.observables)
        if eager and not strategy.eager:
            raise spec.setup.error(
                f"{type_name(spec)} learns from whole batches, so it cannot scan with --eager", "type"
            )
        columns = columns_of(spec, description)
        dataset = dataset or opened.enter_context(Dataset(folder))
        aims = {"points": limits.points, **settings.target.to_meta(), "stopped": None}
        if stored:
            dataset.set_meta(aims)
        else:
            if dataset.meta():
                raise AnotherRun(f"{folder}: another process has just started a run here; choose another folder")
            start_run(dataset, columns, spec, description, seed, threads, aims)
            keep_scan_file(folder, spec)
        if word := keep_records(dataset):
            _say(f"note: {word}")
        if eager:
            note_eager(dataset)
        if init is not None and dataset.batches == 0:
            known = init.outcomes(spec, [each.name for each in description.observables])
            dataset.add_batch(init.batch, init.values, strategy.checkpoint(), known)
        _introduce(spec, limits, settings, description, folder, seed, dataset if stored else None)
        for line in init.notes if init is not None and not stored else []:
            _say(f"note: {line}")
        most = min(limits.evaluations, limits.points) if reads_rows(spec.setup) else limits.evaluations
        names = [each.name for each in description.observables]
        tally = read_tally(dataset, limits.points, settings.target, most, names)
        tally.start = int(getattr(strategy, "start_points", 0))
        good_points = GoodPoints(folder / GOOD_POINTS, list(space.names), names, settings.target, limits.points)

        def explain(failed: Outcome) -> list[str]:
            values = find_point(dataset, failed.id)
            return show_failed(spec.path, space.names, values, failed.failed_code, failed.message)

        with Progress(tally, explain) as progress:
            run = Scan(
                dataset=dataset,
                strategy=strategy,
                space=space,
                backend=pool,
                good_points=good_points,
                limits=limits,
                tally=tally,
                progress=progress,
                wait=WAIT_LATER if wait is None else wait,
                eager=eager,
            )
            reason = run.run()
        dataset.set_meta({"stopped": reason, "stopped_with": stop_values(spec)})
        code = _conclude(dataset, reason, tally, run.seconds)
        _draw(folder, spec)
    return code


def _read(file: Path) -> tuple[ScanFile, Settings, Limits, Space, InitPoints | None]:
    """All of the proposer's input, checked; raises ScanFileError."""
    spec = read_scan_file(file)
    space = Space(spec.variables)
    _verbose(spec)  # refused here, also by a check
    spec.setup.integer("seed", 0, low=0)
    settings, limits, init = read_settings(spec), Limits.read(spec), read_init_csv(spec, space)
    if init is not None and reads_rows(spec.setup):
        nll = np.full_like(init.nll, np.nan)
        init = init._replace(nll=nll, rescored=np.zeros(len(nll), dtype=np.bool_), notes=[])
        limits = replace(limits, points=len(init.batch))
    return spec, settings, limits, space, init


def _verbose(spec: ScanFile) -> int:
    """A number, or a boolean as BSMArt has it."""
    if str(spec.networks.raw("verbose")).lower() in ("true", "false"):
        return int(spec.networks.boolean("verbose", False))
    return spec.networks.integer("verbose", 0)


def check(file: Path, places: Sequence[str], *, insecure: bool) -> int:
    """Reads a scan file and prints what a scan would do; compares it with an evaluator. 2 when they disagree."""
    spec, settings, limits, _, init = _read(file)
    pool = Pool(places, insecure=insecure, say=_say, file=file) if places else None
    codes = ", ".join(each.name for each in spec.codes)
    print(f"{file}: run {spec.run_name!r}, {len(spec.variables)} variables, codes {codes}")
    for each in spec.variables:
        prior = each.prior.value + (f" {each.mean:g} +- {each.sigma:g}" if each.prior is PriorKind.NORMAL else "")
        print(f"  {each.name}: {_show_range(each)} {each.unit}".rstrip() + (", fixed" if each.fixed else f", {prior}"))
    fitted = {each.name: each for each in (spec.fitting.variables if spec.fitting is not None else ())}
    for name, each in fitted.items():
        print(f"  {name}: {_show_range(each)} {each.unit}".rstrip() + ", solved for at each point")
    for scored in spec.all_observables():
        if scored.name in fitted:
            continue
        window = f", valid {scored.valid[0]:g} to {scored.valid[1]:g}" if scored.valid else ""
        likelihood = "the evaluator's measurement" if scored.measurement is not None else show(scored.likelihood)
        print(f"  {scored.name}: {likelihood}{window}")
    print(f"  good: {settings.target.describe()}; stops at {_describe_limits(limits)}")
    print(f"  {type_name(spec)}: {', '.join(_flat(asdict(settings)))}")
    if (below := kept_below(spec, settings.target.threshold)) > -math.inf:
        which = f"points with an NLL below {below:g}" if below < math.inf else "all valid points"
        print(f"  keeps the spectrum files, if there are any, of {which}")
    if init is not None:
        print(f"  starts from {len(init.batch):,} points of {spec.setup.text('init_csv')}")
        for line in init.notes:
            print(f"  note: {line}")
    for line in _notes(spec, settings.target.threshold):
        print(f"  note: {line}")
    if pool is not None:
        try:
            description = pool.describe(5.0, lambda found: _check_agreement(spec, found, pool.where))
        finally:
            pool.close()
        print(
            f"evaluator at {pool.where}: {description.backend}, {description.version}; "
            f"{description.concurrency} points at once"
        )
        print("the scan file and the evaluator agree")
    return 0


def _show_range(variable: Variable) -> str:
    if variable.fixed:
        return f"{variable.low:g}"
    if variable.values:
        return "one of " + ", ".join(f"{each:g}" for each in variable.values)
    if variable.prior.symmetric:
        return f"{variable.inner:g} to {variable.high:g}, either sign"
    kind = ", whole numbers" if variable.integer else ", periodic" if variable.periodic else ""
    return f"{variable.low:g} to {variable.high:g}{kind}"


def _flat(settings: dict[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value)
        elif isinstance(value, tuple):
            yield from [f"{name} {' and '.join(map(str, value))}"] if value else []
        elif isinstance(value, str):
            yield f"{name} {value}"
        elif value is not None and value != NONE:
            yield f"{name} {value:g}"


def _check_agreement(spec: ScanFile, description: Description, address: str) -> None:
    found = disagreements(spec, description)
    if found:
        raise EvaluatorRefused(
            f"the evaluator at {address} ({description.backend}) does not compute what {spec.path} asks for: "
            f"{'; '.join(found[:5])}{' ...' if len(found) > 5 else ''}; start it with the same scan file"
        )


def _set_threads(stored: dict[str, Any]) -> int:
    """Sums depend on the number of threads, so a run keeps the one that it started with."""
    threads = int(stored["threads"]) if stored else min(os.cpu_count() or 1, 8)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    return threads


def _introduce(
    spec: ScanFile,
    limits: Limits,
    settings: Settings,
    description: Description,
    folder: Path,
    seed: int,
    dataset: Dataset | None,
) -> None:
    """What is scanned, and how; `dataset`: of a run that goes on."""
    _say(
        f"{spec.run_name}: {len(spec.variables)} variables; evaluator {description.backend}, "
        f"{description.concurrency} points at once"
    )
    target = settings.target.describe()
    _say(f"good: {target}; stops at {_describe_limits(limits)}; seed {seed}; folder {folder}")
    for line in _notes(spec, settings.target.threshold):
        _say(f"note: {line}")
    if dataset is not None and dataset.points:
        _say(
            f"going on: {dataset.points:,} points were asked for before, {dataset.count_pending():,} of them have "
            "no answer yet"
        )


def _notes(spec: ScanFile, threshold: float) -> list[str]:
    notes, name = list(spec.notes), type_name(spec)
    if "threshold_value" not in spec.networks:
        whose = "" if name == "CMAES_ND" else " (BSMArt's documents say 100, its code 1)"
        notes.append(f"the file gives no threshold_value: {threshold:g} holds{whose}")
    if counts_evaluations(spec.setup):
        kind = spec.setup.text("type")
        notes.append(
            f"points are evaluations, as for BSMArt's {kind}; with `type: {kind.upper()}` they are good points"
            + ("" if "points" in spec.setup else f"; the file gives none: {BSMARTS_POINTS:,} holds, as in BSMArt")
        )
    elif name == "GRID" or reads_rows(spec.setup) or "good_points_early_stop" in spec.setup:
        pass
    elif "points" not in spec.setup:
        notes.append("the file gives no points: 1,000 holds (BSMArt's documents say 1,000, its code 10,000)")
    if name == "CMAES_ND" and is_bsmarts(spec.setup) and "generations" not in spec.setup:
        notes.append(f"the file gives no CMAESMaxGenerations: {BSMARTS_GENERATIONS} holds, as in BSMArt")
    own_settings = {"CMAES": OF_CMAES, "CMAES_ND": (*OF_CMAES, *OF_CMAES_ND)}.get(name, ())
    if others := [each for each in (*OF_CMAES, *OF_CMAES_ND) if each in spec.setup and each not in own_settings]:
        notes.append(f"without meaning for {name}: {', '.join(spec.setup.spelling(each) for each in others)}")
    honoured = [each.name for each in spec.variables if each.prior is not PriorKind.UNIFORM]
    if honoured:
        notes.append(f"priors are honoured (BSMArt's classifier draws uniformly): {', '.join(honoured)}")
    if name == "MLS_DNNC" and spec.networks.spelling("iterations") == "Iterations":
        notes.append("Iterations ends the scan here, as BSMArt's documents say; its code does not read it")
    if name != "LODE" and (own := [each for each in ("goal", "even_in") if each in spec.setup]):
        notes.append(f"{' and '.join(own)}: a setting of LODE, without meaning for {name}")
    if name != "MLS_DNNC" and (others := [each for each in spec.networks if each not in EVERY_TYPE]):
        notes.append(f"settings of MLS_DNNC, without meaning for {name}: {', '.join(others)}")
    if spec.ignored:
        notes.append(f"without meaning here: {', '.join(spec.ignored)}")
    return notes


def _describe_limits(limits: Limits) -> str:
    parts = [f"{limits.points:,} good points"]
    if limits.evaluations < math.inf:
        parts.append(f"{limits.evaluations:,.0f} evaluations")
    if limits.hours < math.inf:
        parts.append(f"{limits.hours:g} hours")
    return " or ".join(parts)


def _conclude(dataset: Dataset, reason: str, tally: Tally, seconds: float) -> int:
    """Why a scan has stopped, what it has found, and where that is, or what to do; returns the exit code."""
    folder = dataset.path.parent
    _say(f"stopped: {reason}")
    _say(
        f"{tally.evaluated:,} points evaluated in {show_time(seconds)}: {tally.good:,} good "
        f"({tally.target.describe()}), {tally.breakdown()}; lowest NLL {_number(tally.best)}"
    )
    if tally.good:
        more = tally.good - tally.wanted
        which = f" (the first {tally.wanted:,} by id; {more:,} more are in the dataset)" if more > 0 else ""
        _say(f"good points: {folder / GOOD_POINTS}{which}")
    if (folder / FOLDER).is_dir():
        _say(f"their spectrum files: {folder / FOLDER}/<id>/")
    if dropped := dataset.count_warned(FILES_NOT_KEPT):
        _say(
            f"without the spectrum files of {dropped:,} points, which are too large to be kept (1 MiB a point): "
            "`lodescan-evaluator point FILE NAME=VALUE ... --keep DIR` writes those of a point anew"
        )
    _say(f"all points: {folder / DATASET} (`lodescan export {shlex.quote(str(folder))}` writes a table)")
    for line in _advice(dataset, tally):
        _say(line)
    if hint := os.environ.get("LODESCAN_DONE_HINT"):
        _say(hint)
    if tally.good:
        return 0
    return ALL_FAILED if tally.all_failed else NONE_GOOD


def _advice(dataset: Dataset, tally: Tally) -> list[str]:
    """What to do when nothing, or everything, was good."""
    if tally.all_failed and not tally.good:
        meta = dataset.meta()
        reasons = show_reasons(dataset, dataset.path.parent, meta["variables"])
        return ["every point failed, so nothing is known about the physics; mend the code, then scan anew", *reasons]
    if tally.good:
        if tally.evaluated >= MANY and tally.good - tally.given >= tally.evaluated:
            return ["every point is good, so nothing was searched for; is threshold_value as low as it should be?"]
        return []
    if not math.isfinite(tally.best):
        return ["no point has an NLL: look at the `valid` windows and conditions, or widen the ranges"]
    what_to_do = "raise threshold_value, widen a range, check each mean and sigma, or give more evaluations"
    lines = [f"{tally.lowest()}; no good point is no proof that there is none: {what_to_do}"]
    if capped := tally.at_cap():
        lines.append(f"the loss of {', '.join(capped)} is at its cap (710.78) even there: has the mean other units?")
    return lines


def _conclude_again(dataset: Dataset, limits: Limits, settings: Settings, stored: dict[str, Any]) -> int:
    """The end of a run that is finished: it needs no evaluator."""
    names = stored["observables"]
    tally = read_tally(dataset, limits.points, settings.target, limits.evaluations, names)
    _say(f"{dataset.path.parent} is finished; more points or a higher budget in the scan file make it go on")
    return _conclude(dataset, stored["stopped"], tally, stored["seconds"])


def _draw(folder: Path, spec: ScanFile) -> None:
    """The pictures that the file asks for; one that cannot be drawn does not spoil the end of a scan."""
    if spec.plotting is None:
        return
    try:
        keep_scan_file(folder, spec)  # its pictures may be other ones by now
        for path in draw(folder, spec, read_points(folder, spec), spec.plotting, say=_say):
            _say(f"drawn: {path}")
    except NoRoom as error:
        _say(f"not drawn: {error}")
    except (ScanFileError, DatasetError, OSError) as error:
        _say(f"not drawn: {error}; correct the scan file, and the same command draws again")


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "none"


def _say(line: str) -> None:
    print(visible(line), file=sys.stderr, flush=True)
