"""The end of a scan: reports its result and the files, advises if it found nothing, and draws the pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from proposer.formats import show_time
from proposer.loop import Limits
from proposer.run.dataset import DATASET, Dataset
from proposer.run.files import NoAnswers, NoRoom
from proposer.run.manifest import keep_scan_file
from proposer.run.record import RunRecord
from proposer.run.spectra import FOLDER
from proposer.run.tables import GOOD_POINTS
from proposer.show.failures import failure_kinds, is_of_a_notebook, scan_file, show_reasons
from proposer.show.not_drawn import NotDrawn
from proposer.show.tally import Tally, how_given, read_tally
from proposer.show.voice import busy, say, tell
from proposer.strategies.base import Settings
from proposer.types import Status
from scanspec import LodescanError, ScanFile, ScanFileError
from scanspec.plotting import read_plotting
from scanspec.spectrum import FILES_NOT_KEPT
from scanspec.text import quoted

ALL_FAILED, NONE_GOOD = 4, 5
"""Exit codes of a scan that ended normally, but without a good point."""

MANY = 20
"""From this number of evaluations on, a scan with only good points gets a remark."""


def conclude(dataset: Dataset, reason: str, tally: Tally, seconds: float) -> int:
    """Reports why a scan has stopped, its result and its files, and advises if it found nothing. `seconds`: the wall
    time of all commands of the run. Returns the exit code.
    """
    folder = dataset.path.parent
    say(f"stopped: {reason}")
    given = how_given(RunRecord.read(dataset.meta()).rescored_from)
    came = f" ({tally.good_known:,} of them {given})" if tally.good_known else ""
    say(
        f"{tally.evaluated:,} points evaluated in {show_time(seconds)}: {tally.good:,} good{came} "
        f"({tally.target.describe()}), {tally.breakdown()}; lowest NLL {_number(tally.best)}"
    )
    if tally.good:
        more = tally.good - tally.wanted
        which = f" (the first {tally.wanted:,} by id; the dataset has {more:,} more)" if more > 0 else ""
        say(f"good points: {folder / GOOD_POINTS}{which}")
    if (folder / FOLDER).is_dir():
        say(f"their spectrum files: {folder / FOLDER}/<id>/")
    if dropped := dataset.count_warned(FILES_NOT_KEPT):
        say(
            f"without the spectrum files of {dropped:,} points, which are too large to be kept (1 MiB a point): "
            "`lodescan-evaluator point FILE NAME=VALUE ... --keep DIR` writes those of a point anew"
        )
    say(f"all points: {folder / DATASET} (`lodescan export {quoted(folder)}` writes a table)")
    for line in _advice(dataset, tally):
        say(line)
    code = exit_code(tally)
    found = {"good": tally.good, "evaluated": tally.evaluated, "seconds": seconds}
    tell("end", {"stopped": reason, "code": code, "folder": str(folder), **found})
    return code


def exit_code(tally: Tally) -> int:
    """The exit code of a scan that has ended with these counts."""
    return ALL_FAILED if tally.useless else 0 if tally.good else NONE_GOOD


def _advice(dataset: Dataset, tally: Tally) -> list[str]:
    """Advice for a scan in which no point or every point was good, or a loss is at its cap at the best point. (If the
    target follows the best NLL, there always are good points.)
    """
    if tally.useless:
        return _if_all_failed(dataset, tally)
    if tally.good:
        lines = _at_cap(dataset, tally)
        if tally.evaluated >= MANY and tally.good - tally.good_known >= tally.evaluated:
            what_to_do = "is threshold_value as low as it should be?"
            if tally.target.everything:
                what_to_do = "an observable gets a likelihood by its mean and sigma"
            elif tally.target.follows:
                what_to_do = f"no NLL is {tally.target.above_best:g} above the lowest one"
            lines += [f"every point is good, so nothing was searched for; {what_to_do}", *_constants(dataset, tally)]
        return lines
    if not tally.evaluated and not tally.good_known:
        what_to_do = "see what the evaluator does, or raise max_hours; the same command then goes on"
        return [f"no point was answered, so nothing is known yet: {what_to_do}"]
    if not math.isfinite(tally.best):
        what_to_do = "look at the `valid` windows and conditions, or widen the ranges"
        return [f"no point has an NLL: {what_to_do}", *_reasons(dataset, invalid=True), *_reasons(dataset)]
    return _if_none_is_good(dataset, tally)


def _if_all_failed(dataset: Dataset, tally: Tally) -> list[str]:
    what_to_do = "mend the code, then scan anew"
    lines = [f"every point failed, so nothing is known about the physics; {what_to_do}", *_reasons(dataset)]
    if tally.hopeless:
        folder = dataset.path.parent
        retried = f", and `lodescan retry {quoted(folder)}` evaluates the failed points again"
        lines.append(
            "if the fault was outside the code (a missing file, a licence), mend it: the same command then goes on"
            + ("" if is_of_a_notebook(scan_file(folder)) else retried)
        )
    return lines


def _if_none_is_good(dataset: Dataset, tally: Tally) -> list[str]:
    """Advice for a scan whose points have NLLs, but none in the target."""
    change = "move the band of threshold_value" if tally.target.is_band else "raise threshold_value"
    what_to_do = f"{change}, widen a range, check each mean and sigma, or give more evaluations"
    lines = [f"{tally.lowest()}; finding no good point does not prove that there is none: {what_to_do}"]
    lines += [*_at_cap(dataset, tally), *_constants(dataset, tally)]
    if 2 * tally.failed_points >= tally.evaluated:
        lines += _reasons(dataset)
    return lines


def _at_cap(dataset: Dataset, tally: Tally) -> list[str]:
    """Lines about the observables whose loss has its largest value even at the best point."""
    lines, no_numbers, capped = [], list[str](), tally.at_cap()
    if never_numbers(dataset, tally, capped):
        # all such observables, because a joint likelihood is NaN if an observable behind it is
        no_numbers = never_numbers(dataset, tally, tally.names)
        what = "is not a number (NaN)" if len(no_numbers) == 1 else "are not numbers (NaN)"
        lines.append(f"{', '.join(no_numbers)} {what} at any point: correct the code or the expression")
    if capped := [name for name in capped if name not in no_numbers]:
        where = "even at the point with the lowest NLL"
        lines.append(f"the loss of {', '.join(capped)} is at its cap (710.78) {where}: is the mean in another unit?")
    return lines


def _reasons(dataset: Dataset, *, invalid: bool = False) -> list[str]:
    """Why points failed, or were invalid."""
    kinds, word = (
        (failure_kinds(dataset, [Status.INVALID]), "invalid") if invalid else (failure_kinds(dataset), "failed")
    )
    return show_reasons(kinds, scan_file(dataset.path.parent), RunRecord.read(dataset.meta()).variables, word)


def never_numbers(dataset: Dataset, tally: Tally, names: Sequence[str]) -> list[str]:
    """Which of the observables `names` are NaN at every point that has an NLL."""
    left = list(names)
    for part in dataset.results() if left else ():
        has_nll = part.status == Status.OK
        values = {name: part.observables[has_nll, list(tally.names).index(name)] for name in left}
        left = [name for name in left if np.isnan(values[name]).all()]
        if not left:  # mostly after the first part, and a long scan has thousands
            break
    return left


def _constants(dataset: Dataset, tally: Tally) -> list[str]:
    """A line for each observable that has a loss, but the same value at all points. Empty with fewer than MANY
    points.
    """
    left = {k: math.nan for k, (loss, _) in enumerate(zip(tally.best_losses, tally.names, strict=False)) if loss > 0.0}
    count = 0
    for part in dataset.results():
        values = part.observables[part.status == Status.OK]
        if len(values):
            left = {k: float(values[0, k]) if count == 0 else left[k] for k in left}
            left = {k: value for k, value in left.items() if (values[:, k] == value).all()}
            count += len(values)
        if not left:  # mostly after the first part
            break
    return [
        f"{tally.names[k]} is {value:g} at all {count:,} points: does its code read the variables? (a template without "
        "expressions, another input file, a constant for what was not computed)"
        for k, value in left.items()
        if count >= MANY
    ]


def conclude_again(dataset: Dataset, limits: Limits, settings: Settings, stored: RunRecord) -> int:
    """Reports the end of a finished run again. This needs no evaluator."""
    tally = read_tally(dataset, limits.points, settings.target, limits.evaluations, stored.observables)
    say(f"{dataset.path.parent} is finished; more points or a higher budget in the scan file continue it")
    return conclude(dataset, stored.stopped or "", tally, stored.seconds)


def draw_pictures(folder: Path, spec: ScanFile, *, report: bool) -> None:
    """Draws the pictures that the file asks for, and the report. An error of one picture ends neither the others nor
    the report; Ctrl-C and a full disk end the drawing. The results are kept.
    """
    try:
        with _faults_said():
            if (plotting := read_plotting(spec)) is not None:
                from proposer.show.plots import and_png, draw, read_points  # here: matplotlib is slow to load

                keep_scan_file(folder, spec)  # its section `plotting` may have changed
                points = read_points(folder, spec)
                draw(folder, spec, points, plotting, say=say, drawn=lambda path: say(f"drawn: {and_png(path)}"))
        if report:
            from proposer.report.write import write_report  # here: Bokeh is slow to load, and a scan need not wait

            with _faults_said():
                with busy("drawing the report ... (Ctrl-C ends it; the results are kept)"):
                    written = write_report([folder])
                say(f"report: {written[0]}")
    except KeyboardInterrupt:
        say(f"not drawn: interrupted; all results are kept, and `lodescan report {quoted(folder)}` draws it")
    except NoRoom as error:
        say(f"not drawn: {error}")


@contextmanager
def _faults_said() -> Iterator[None]:
    """A context that reports errors, one a line, and goes on. The error of a full disk is raised. A run without answers
    is not reported, because the end of the scan has said it.
    """
    try:
        yield
    except NoRoom:
        raise
    except NoAnswers:
        pass
    except (LodescanError, OSError) as error:
        for fault in error.faults if isinstance(error, NotDrawn) else [error]:
            what_to_do = "correct the scan file, and" if isinstance(fault, ScanFileError) else "then"
            say(f"not drawn: {fault}; {what_to_do} the same command draws again")


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "none"
