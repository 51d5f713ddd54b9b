"""The commands `check` and `point`: one point by hand with all its results, for debugging."""

from __future__ import annotations

import faulthandler
import json
import math
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.chain import Chain, Outcome, Status
from evaluator.codes.programs import read_tail
from evaluator.commands.one_point import ByHand
from evaluator.commands.order import better_order, can_end, may_have_better_order
from evaluator.commands.random_points import Tried, first_ok, open_windows, try_points
from evaluator.commands.ranges import middle, what_is_outside
from evaluator.commands.unused import unused
from evaluator.leftovers import ScratchRoot
from scanspec import Kind, ObservableSpec, ScanFile, UsageError, losses_and_nll, visible
from scanspec.document import nearest, plain_name, to_number
from scanspec.likelihoods import LARGEST_LOSS
from scanspec.text import broken, quoted

DEEPEST = 20
"""The most folders within folders in which `point` looks for files to print."""

_NEAR_THE_CAP = 0.9
"""Fraction of the largest loss above which `point` prints a warning; a Gaussian reaches it at 57 sigma."""


def check(scan: ScanFile) -> int:
    """Runs every code once in the middle of the ranges, and prints a table. Returns 2 if an observable is missing, else
    0.

    If this point is unphysical, random points are tried, and then unphysical points without their windows, until each
    code has given its observables. If a code that can end a point comes after another code, other orders of the codes
    are tried. Raises ScanFileError if the proposer would refuse the file.
    """
    for key in ("init_csv", "start_csv", "seeds_csv"):
        table = scan.setup.text(key, "")
        if table and not (scan.folder / table).is_file():
            raise scan.setup.error(f"{key}: there is no file {scan.folder / table}", key)
    console = _console()
    chain = Chain(scan)
    values = [middle(variable) for variable in scan.variables]
    with closing(ScratchRoot()) as scratch, closing(ByHand(chain)) as by_hand:
        outcome = by_hand.evaluate(values, scratch.path / "point")
        codes = ", ".join(code.name for code in scan.codes)
        counts = f"variables: {len(scan.variables)}, observables: {len(chain.specs)}"
        console.say(f"{scan.path}: {counts}, codes: {codes}")
        for line in (*scan.notes, *([f"without meaning here: {', '.join(scan.ignored)}"] if scan.ignored else [])):
            console.say(f"note: {line}")
        for step in chain.steps:
            if step.code.remark:
                console.say(f"warning: {step.code.remark}", style="yellow")
        for name in unused(scan, chain):
            console.say(f"warning: no code reads {name}: write it into an expression of a template", style="yellow")
        _print_tables(console, chain, values, outcome)
        if outcome.status in (Status.OK, Status.INVALID):  # an error is printed at the end
            _print_status(console, chain, outcome)
        tried, opened = [Tried(values, outcome)], list[Tried]()
        doubtful = outcome.status is Status.INVALID or bool(not_numbers(chain, outcome))
        if doubtful or (outcome.status is Status.OK and may_have_better_order(scan)):
            tried = try_points(by_hand, tried[0], scratch.path)
        if first_ok(tried) is None:
            opened = open_windows(by_hand, tried, scratch.path)
        elif may_have_better_order(scan):
            for line in better_order(chain, tried, scratch.path):
                console.say(line)
    fault = _fault(tried, opened)
    if fault is not None:
        if fault in tried[1:]:
            console.say(f"no point is OK; this point fails: {_command(scan, fault.values)}")
        where = visible(_where(chain, fault.outcome))
        print(f"lodescan-evaluator: {where}: {fault.outcome.message}", file=sys.stderr)
        hint = "`lodescan-evaluator point FILE --keep DIR` keeps the files of a point"
        print(f"next: correct this; {hint}", file=sys.stderr)
        return 2
    good = first_ok(tried)
    if good is not None and (nowhere := _nowhere_a_number(chain, tried)) is not None:
        print(f"lodescan-evaluator: {nowhere}", file=sys.stderr)
        return 2
    if outcome.status is Status.OK:
        console.say("the file and its codes work", style="green")
    elif good is not None:
        console.say(
            "the middle of the ranges is unphysical, but the file and its codes work at another point: "
            + _command(scan, good.values),
            style="green",
        )
    elif first_ok(opened) is not None:
        console.say(
            f"the codes work, but all {len(tried)} points, the middle and random points, are unphysical: the windows "
            "are narrow or wrong; try a point that should be good with `lodescan-evaluator point`"
        )
    else:
        seen = max(len(trial.outcome.seconds) for trial in (*tried, *opened))
        unseen = ", ".join(code.name for code in scan.codes[seen:])
        console.say(
            f"all {len(tried)} points, the middle of the ranges and random points, are unphysical, so "
            + (f"{unseen} did not run" if unseen else "the last code never ended well")
            + "; try a point that should be good with `lodescan-evaluator point`"
        )
    return 0


def _command(scan: ScanFile, values: Sequence[float]) -> str:
    assigned = [shlex.quote(f"{variable.name}={x:.9g}") for variable, x in zip(scan.variables, values, strict=True)]
    return f"lodescan-evaluator point {quoted(scan.path)} {' '.join(assigned)}"


def _fault(tried: Sequence[Tried], opened: Sequence[Tried]) -> Tried | None:
    """A failed point, or a point without one of its observables; None if a point is OK, or if all are only
    unphysical.
    """
    if first_ok(tried) is not None:
        return None
    failed = [trial for trial in tried if trial.outcome.status is not Status.INVALID]
    not_given = [trial for trial in failed if trial.outcome.not_given is not None]
    if first_ok(opened) is None:
        not_given += [trial for trial in opened if trial.outcome.not_given is not None]
    return next(iter([*not_given, *failed]), None)


def not_numbers(chain: Chain, outcome: Outcome) -> list[int]:
    """The positions of observables in the likelihood that are NaN or infinite at an OK point."""
    if outcome.status is not Status.OK:
        return []
    return [
        position
        for position, (spec, value) in enumerate(zip(chain.specs, outcome.observables, strict=True))
        if spec.likelihood.kind is not Kind.OFF and not math.isfinite(value)
    ]


def _nowhere_a_number(chain: Chain, tried: Sequence[Tried]) -> str | None:
    """An error message for an observable in the likelihood that is NaN or infinite at every OK point; None if there is
    none.
    """
    ok = [trial.outcome for trial in tried if trial.outcome.status is Status.OK]
    never = set.intersection(*(set(not_numbers(chain, outcome)) for outcome in ok))
    if not never:
        return None
    spec, value = chain.specs[min(never)], ok[0].observables[min(never)]
    points = "the one point that was tried" if len(ok) == 1 else f"each of {len(ok)} points"
    return (
        f"{chain.scan.path}, line {_line(spec)}: the observable {spec.name} is {_show(value)} at {points}, so no point "
        "could be good; correct its code or its expression"
    )


def _line(spec: ObservableSpec) -> int:
    return spec.section.line(spec.name)


def _show(value: float) -> str:
    return "not a number (NaN)" if math.isnan(value) else f"infinite ({value})"


def _where(chain: Chain, outcome: Outcome) -> str:
    """The file, the line of the missing observable, and the code."""
    line = ""
    if outcome.not_given is not None:
        line = f", line {_line(chain.specs[outcome.not_given])}"
    return f"{chain.scan.path}{line}: {_culprit(outcome)}"


def _culprit(outcome: Outcome) -> str:
    return f"code {outcome.failed_code}" if outcome.failed_code else "the file's own observables"


def point(
    scan: ScanFile, assignments: list[str], keep: Path | None, *, point_id: int = 0, as_json: bool = False
) -> int:
    """Runs one point, and prints all its results with the output of each program, or one JSON object.

    The point gets the random numbers of the scan's point with this id. Returns 0 if the status is OK or INVALID, else
    1. Raises UsageError for a wrong assignment or folder.
    """
    values = _read_values(scan, assignments)
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(f"--keep {keep}: exists and is not empty", next_step="name a new folder")
    console = _console()
    with closing(ScratchRoot()) as scratch:
        folder = keep.resolve() if keep is not None else scratch.path / "point"
        folder.mkdir(parents=True, exist_ok=True)
        with _stdout_is_stderr() if as_json else nullcontext():  # because output of codes is not JSON
            chain = Chain(scan)
            with closing(ByHand(chain)) as by_hand:
                outcome = by_hand.evaluate(values, folder, point_id=point_id)
        if as_json:
            print(json.dumps(_to_json(chain, values, outcome, keep)))
        else:
            _print_tables(console, chain, values, outcome)
            _print_status(console, chain, outcome)
            _print_files(console, folder)
    if keep is not None and not as_json:
        console.say(f"files kept in {keep}")
    return 0 if outcome.status in (Status.OK, Status.INVALID) else 1


@contextmanager
def _stdout_is_stderr() -> Iterator[None]:
    """Redirects standard output to standard error, for this process and the programs that it starts."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _to_json(chain: Chain, values: list[float], outcome: Outcome, keep: Path | None) -> dict[str, Any]:
    """One point as JSON. Numbers that are NaN, infinite, or missing are None."""
    variables = list(zip(chain.scan.variables, values, strict=True))
    ok = outcome.status is Status.OK
    observables = outcome.observables or [math.nan] * len(chain.specs)
    losses, nll = losses_and_nll([spec.likelihood for spec in chain.specs], np.array([observables]))
    return {
        "status": outcome.status.name,
        "nll": _finite(float(nll[0])) if ok else None,
        "variables": {variable.name: value for variable, value in variables},
        "outside": [outside for variable, value in variables if (outside := what_is_outside(variable, value))],
        "observables": [
            {
                "name": spec.name,
                "code": spec.code,
                "unit": spec.unit,
                "value": None if position in outcome.missing else _finite(value),
                "likelihood": _describe(spec),
                "loss": _finite(float(losses[0, position])) if ok and spec.likelihood.kind is not Kind.OFF else None,
            }
            for position, (spec, value) in enumerate(zip(chain.specs, observables, strict=True))
        ],
        "seconds": {code.name: s for code, s in zip(chain.scan.codes, outcome.seconds, strict=False)},
        "failed_code": outcome.failed_code or None,
        "message": outcome.message or None,
        "warnings": list(outcome.warnings),
        "kept": None if keep is None else str(keep),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


class _Console(Console):
    """A console that shows the texts of programs and files without control characters, and breaks no paths."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def on_broken_pipe(self) -> None:
        """Raises the BrokenPipeError that is being handled; rich would end this process, as a code may do."""
        raise  # noqa: PLE0704  # called while the error is handled

    def say(self, text: str, style: str | None = None) -> None:
        """Prints a message, which is broken at blanks on a terminal; elsewhere it stays one line."""
        text = visible(text)
        self.print(broken(text, self.width) if self.is_terminal else text, style=style, soft_wrap=True)


def _console() -> _Console:
    """A console for names and texts of any kind: without markup, and without cut lines if the output is no terminal."""
    faulthandler.enable()  # so that a message is left if a code ends this process
    terminal = sys.stdout.isatty()
    return _Console(markup=False, highlight=False, emoji=False, soft_wrap=not terminal, width=None if terminal else 200)


def _read_values(scan: ScanFile, assignments: list[str]) -> list[float]:
    values = {variable.name: middle(variable) for variable in scan.variables}
    given: set[str] = set()
    for assignment in assignments:
        name, equals, text = assignment.rpartition("=")
        name = plain_name(name)
        number = to_number(text)
        if not equals and plain_name(text) in values:
            message = f"{assignment!r}: must be NAME=VALUE, but has no value"
            raise UsageError(message, next_step=f"write one: {text}=VALUE")
        if not equals or name not in values:
            raise UsageError(
                f"{assignment!r}: must be NAME=VALUE with a variable's name{nearest(name or text, values)}",
                next_step=f"the variables are {', '.join(values)}",
            )
        if number is None or not math.isfinite(number):
            raise UsageError(f"{assignment!r}: {text!r} is not a finite number", next_step="write one such as 1.5e3")
        if name in given:
            raise UsageError(f"{assignment!r}: {name} is given twice", next_step="give each variable once")
        given.add(name)
        values[name] = number
    return list(values.values())


def _print_tables(console: _Console, chain: Chain, values: list[float], outcome: Outcome) -> None:
    inputs = Table("variable", "value", "unit", title=None)
    for variable, value in zip(chain.scan.variables, values, strict=True):
        inputs.add_row(variable.name, f"{value:.9g}", variable.unit)
    console.print(inputs)
    for variable, value in zip(chain.scan.variables, values, strict=True):
        if outside := what_is_outside(variable, value):
            console.say(f"note: {outside}; a scan never has this value")
    if chain.specs and len(outcome.missing) == len(chain.specs):
        return  # no code gave a result, so the two tables would be empty
    table = Table("code", "observable", "value", "unit", "likelihood", "loss")
    losses, _ = losses_and_nll([spec.likelihood for spec in chain.specs], np.array([outcome.observables]))
    for position, (spec, value) in enumerate(zip(chain.specs, outcome.observables, strict=True)):
        there = position not in outcome.missing
        scored = there and spec.likelihood.kind is not Kind.OFF
        table.add_row(
            spec.code or "(file)",
            spec.name,
            f"{value:.9g}" if there else "-",
            spec.unit,
            _describe(spec),
            f"{losses[0, position]:.6g}" if scored else "",
        )
    console.print(table)
    codes = Table("code", "seconds", "can end a point")
    for number, code in enumerate(chain.scan.codes):
        ran = number < len(outcome.seconds)
        codes.add_row(code.name, f"{outcome.seconds[number]:.3f}" if ran else "-", "yes" if can_end(code) else "")
    console.print(codes)


def _print_status(console: _Console, chain: Chain, outcome: Outcome) -> None:
    for warning in outcome.warnings:
        console.say(f"warning: {warning}")
    if outcome.status is not Status.OK:
        where = f" (code {outcome.failed_code})" if outcome.failed_code else ""
        console.say(f"status {outcome.status.name}{where}: {outcome.message}")
        return
    losses, nll = losses_and_nll([spec.likelihood for spec in chain.specs], np.array([outcome.observables]))
    for position, (spec, value) in enumerate(zip(chain.specs, outcome.observables, strict=True)):
        if spec.likelihood.kind is Kind.OFF:
            continue
        if not math.isfinite(value):
            console.say(f"warning: {spec.name} is {_show(value)}, so it has the largest possible loss")
        elif losses[0, position] > _NEAR_THE_CAP * LARGEST_LOSS:
            console.say(
                f"warning: {spec.name} = {value:.6g} is so far from {_describe(spec, window=False)} that its loss is "
                f"near the largest possible loss, {LARGEST_LOSS:.6g}; is it in another unit?"
            )
    console.say(f"status OK, NLL {nll[0]:.6g}")


def _describe(spec: ObservableSpec, *, window: bool = True) -> str:
    likelihood, valid = spec.likelihood, spec.valid if window else None
    if spec.term is not None:
        return spec.term.describe()
    parts = []
    if likelihood.kind is Kind.CFUNCTION:
        parts.append(
            f"CFUNCTION [{likelihood.lower:g}, {likelihood.upper:g}]" + (" in ln" if likelihood.log_scaling else "")
        )
    elif not math.isnan(likelihood.mean):
        parts.append(f"{likelihood.kind.value} {likelihood.mean:g}, {likelihood.sigma:g}")
    elif likelihood.kind is not Kind.OFF:
        parts.append(likelihood.kind.value)
    if valid is not None:
        parts.append(f"valid {valid[0]:g} to {valid[1]:g}")
    return ", ".join(parts)


def _print_files(console: _Console, folder: Path) -> None:
    found: list[Path] = []
    for top, folders, names in os.walk(folder):
        found += [Path(top, name) for name in names]
        if len(Path(top).parts) - len(folder.parts) >= DEEPEST:
            folders.clear()
    for path in sorted(found):
        if path.is_file() and os.path.getsize(path):
            console.rule(f"{path.relative_to(folder)} ({os.path.getsize(path)} bytes)")
            console.print(read_tail(path, 20_000).rstrip(), soft_wrap=True)
