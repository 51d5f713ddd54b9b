"""The command `point`: one point by hand with all its results, for debugging."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from evaluator.chain import Chain, Outcome, Status
from evaluator.codes.programs import read_tail
from evaluator.commands.by_hand import ByHand
from evaluator.commands.ranges import middle, what_is_outside
from evaluator.commands.shown import PointConsole, open_console, print_status, print_tables, show_likelihood
from evaluator.leftovers import ScratchRoot
from scanspec import Kind, ScanFile, UsageError, losses_and_nll
from scanspec.document import nearest, plain_name, to_number

DEEPEST = 20
"""The most folders within folders in which `point` looks for files to print."""


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
    console = open_console()
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
            print_tables(console, chain, values, outcome)
            print_status(console, chain, outcome)
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
                "likelihood": show_likelihood(chain.scan, spec),
                "loss": _finite(float(losses[0, position])) if ok and spec.likelihood.kind is not Kind.OFF else None,
            }
            for position, (spec, value) in enumerate(zip(chain.specs, observables, strict=True))
        ],
        "seconds": dict(zip((code.name for code in chain.scan.codes), outcome.seconds, strict=False)),
        "failed_code": outcome.failed_code or None,
        "message": outcome.message or None,
        "warnings": list(outcome.warnings),
        "kept": None if keep is None else str(keep),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


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


def _print_files(console: PointConsole, folder: Path) -> None:
    found: list[Path] = []
    for top, folders, names in os.walk(folder):
        found += [Path(top, name) for name in names]
        if len(Path(top).parts) - len(folder.parts) >= DEEPEST:
            folders.clear()
    for path in sorted(found):
        if path.is_file() and os.path.getsize(path):
            console.rule(f"{path.relative_to(folder)} ({os.path.getsize(path)} bytes)")
            console.print(read_tail(path, 20_000).rstrip(), soft_wrap=True)
