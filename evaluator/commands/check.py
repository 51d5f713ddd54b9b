"""The command `check`: runs every code once, and says what is wrong with the codes or with the scan file."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Sequence
from contextlib import closing

from evaluator.chain import Chain, Outcome, Status
from evaluator.commands.by_hand import ByHand
from evaluator.commands.order import better_order, may_have_better_order
from evaluator.commands.random_points import Tried, first_ok, open_windows, try_points
from evaluator.commands.ranges import middle
from evaluator.commands.shown import PointConsole, open_console, print_status, print_tables, show_no_number
from evaluator.commands.unused import unused
from evaluator.leftovers import ScratchRoot
from scanspec import Kind, ObservableSpec, ScanFile, visible
from scanspec.text import quoted


def check(scan: ScanFile) -> int:
    """Runs every code once in the middle of the ranges, and prints a table. Returns 2 if an observable is missing, or
    is a number at no point, else 0.

    If this point is unphysical, random points are tried, and then unphysical points without their windows, until each
    code has given its observables. If a code that can end a point comes after another code, other orders of the codes
    are tried. Raises ScanFileError if the proposer would refuse the file.
    """
    _check_tables(scan)
    console = open_console()
    chain = Chain(scan)
    values = [middle(variable) for variable in scan.variables]
    with closing(ScratchRoot()) as scratch, closing(ByHand(chain)) as by_hand:
        # 1. Run the middle of the ranges, and print what the codes give there.
        outcome = by_hand.evaluate(values, scratch.path / "point")
        _introduce(console, scan, chain)
        print_tables(console, chain, values, outcome)
        if outcome.status in (Status.OK, Status.INVALID):  # an error is printed at the end
            print_status(console, chain, outcome)
        # 2. Try other points, if this one leaves a doubt, or if the order of the codes can be better.
        tried, opened = [Tried(values, outcome)], list[Tried]()
        doubtful = outcome.status is Status.INVALID or bool(not_numbers(chain, outcome))
        if doubtful or (outcome.status is Status.OK and may_have_better_order(scan)):
            tried = try_points(by_hand, tried[0], scratch.path)
        if first_ok(tried) is None:
            opened = open_windows(by_hand, tried, scratch.path)
        elif may_have_better_order(scan):
            for line in better_order(chain, tried, scratch.path):
                console.say(line)
    # 3. Say whether the file and its codes work.
    if (fault := _fault(tried, opened)) is not None:
        if fault in tried[1:]:
            console.say(f"no point is OK; this point fails: {_command(scan, fault.values)}")
        where = visible(_where(chain, fault.outcome))
        print(f"lodescan-evaluator: {where}: {fault.outcome.message}", file=sys.stderr)
        hint = "`lodescan-evaluator point FILE --keep DIR` keeps the files of a point"
        print(f"next: correct this; {hint}", file=sys.stderr)
        return 2
    if first_ok(tried) is not None and (nowhere := _nowhere_a_number(chain, tried)) is not None:
        print(f"lodescan-evaluator: {nowhere}", file=sys.stderr)
        return 2
    _say_what_works(console, scan, tried, opened)
    return 0


def _check_tables(scan: ScanFile) -> None:
    """Raises ScanFileError if a table of points that the proposer reads is not there."""
    for key in ("init_csv", "start_csv", "seeds_csv"):
        table = scan.setup.text(key, "")
        if table and not (scan.folder / table).is_file():
            raise scan.setup.error(f"{key}: there is no file {scan.folder / table}", key)


def _introduce(console: PointConsole, scan: ScanFile, chain: Chain) -> None:
    """Prints what the file has, and what looks wrong before any code runs."""
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


def _say_what_works(console: PointConsole, scan: ScanFile, tried: Sequence[Tried], opened: Sequence[Tried]) -> None:
    """Prints the result if no code is at fault. The first point of `tried` is the middle of the ranges."""
    good = first_ok(tried)
    if tried[0].outcome.status is Status.OK:
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
        f"{chain.scan.path}, line {_line(spec)}: the observable {spec.name} is {show_no_number(value)} at {points}, "
        "so no point could be good; correct its code or its expression"
    )


def _line(spec: ObservableSpec) -> int:
    return spec.section.line(spec.name)


def _where(chain: Chain, outcome: Outcome) -> str:
    """The file, the line of the missing observable, and the code."""
    line = ""
    if outcome.not_given is not None:
        line = f", line {_line(chain.specs[outcome.not_given])}"
    return f"{chain.scan.path}{line}: {_culprit(outcome)}"


def _culprit(outcome: Outcome) -> str:
    return f"code {outcome.failed_code}" if outcome.failed_code else "the file's own observables"
