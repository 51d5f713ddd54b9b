"""`check` and `point`: one point by hand, with everything that came of it. This is how people debug."""

from __future__ import annotations

import faulthandler
import math
import os
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from evaluator.errors import ConfigurationError
from evaluator.order import better_order, can_end
from evaluator.point import Chain, Outcome, Status
from evaluator.processes import ScratchRoot
from evaluator.programs import read_tail
from scanspec import Kind, Likelihood, PriorKind, ScanFile, Variable, losses_and_nll
from scanspec.document import closest, to_number


def middle(variable: Variable) -> float:
    """The middle of a range: in the logarithm for a log-uniform prior, the mean for a normal one, of the positive half
    for a symmetric one, the middle value of an integer or a choice.
    """
    if variable.values:
        return variable.values[len(variable.values) // 2]
    if variable.integer:
        return float((variable.low + variable.high) // 2)
    if variable.prior is PriorKind.NORMAL:
        return min(max(variable.mean, variable.low), variable.high)
    low = variable.inner if variable.prior.symmetric else variable.low
    if variable.prior in (PriorKind.LOG_UNIFORM, PriorKind.SYMMETRIC_LOG):
        return math.sqrt(low * variable.high)
    return (low + variable.high) / 2


def check(scan: ScanFile) -> int:
    """Runs every code once in the middle of the ranges and prints a table; 2 when an observable is not there."""
    console = _console()
    chain = Chain(scan)
    chain.load()
    values = [middle(each) for each in scan.variables]
    scratch = ScratchRoot()
    try:
        outcome = chain.evaluate(values, scratch.path / "point")
        advice = better_order(chain, values, outcome, scratch.path)
    finally:
        scratch.close()
    codes = ", ".join(code.name for code in scan.codes)
    console.print(f"{scan.path}: {len(scan.variables)} variables, codes {codes}, {len(chain.specs)} observables")
    for line in (*scan.notes, *([f"without meaning here: {', '.join(scan.ignored)}"] if scan.ignored else [])):
        console.print(f"note: {line}")
    _print_tables(console, chain, values, outcome)
    for line in advice:
        console.print(line)
    if outcome.status is Status.OK:
        console.print("the file and its codes work", style="green")
        return 0
    if outcome.status is Status.INVALID:
        console.print(
            "the middle of the ranges is unphysical, so what comes after that was not seen; try a good point with "
            "`lodescan-evaluator point`"
        )
        return 0
    print(f"lodescan-evaluator: {scan.path}: code {outcome.failed_code or '?'}: {outcome.message}", file=sys.stderr)
    return 2


def point(scan: ScanFile, assignments: list[str], keep: Path | None) -> int:
    """Runs one point and prints all that came of it, with what each program wrote; 0 unless it failed."""
    values = _read_values(scan, assignments)
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise ConfigurationError(f"--keep {keep}: is there already, and not empty; name a new folder")
    chain = Chain(scan)
    chain.load()
    console = _console()
    scratch = ScratchRoot()
    folder = keep.resolve() if keep is not None else scratch.path / "point"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        outcome = chain.evaluate(values, folder)
        _print_tables(console, chain, values, outcome)
        _print_files(console, folder)
    finally:
        scratch.close()
    if keep is not None:
        console.print(f"files kept in {keep}")
    return 0 if outcome.status in (Status.OK, Status.INVALID) else 1


def _console() -> Console:
    """For names and texts of any kind: no markup, and no line cut where there is no terminal."""
    faulthandler.enable()  # a code that takes this process down should leave a word
    terminal = sys.stdout.isatty()
    return Console(markup=False, highlight=False, emoji=False, soft_wrap=not terminal, width=None if terminal else 200)


def _read_values(scan: ScanFile, assignments: list[str]) -> list[float]:
    values = {each.name: middle(each) for each in scan.variables}
    for assignment in assignments:
        name, equals, text = assignment.rpartition("=")
        number = to_number(text)
        if not equals or name not in values:
            raise ConfigurationError(
                f"{assignment!r}: must be NAME=VALUE with a variable's name{closest(name or text, values)}"
            )
        if number is None or not math.isfinite(number):
            raise ConfigurationError(f"{assignment!r}: {text!r} is not a finite number")
        values[name] = number
    return list(values.values())


def _print_tables(console: Console, chain: Chain, values: list[float], outcome: Outcome) -> None:
    inputs = Table("variable", "value", "unit", title=None)
    for variable, value in zip(chain.scan.variables, values, strict=True):
        inputs.add_row(variable.name, f"{value:.9g}", variable.unit)
    console.print(inputs)
    table = Table("code", "observable", "value", "unit", "likelihood", "loss")
    losses, nll = losses_and_nll([spec.likelihood for spec in chain.specs], np.array([outcome.observables]))
    for position, (spec, value) in enumerate(zip(chain.specs, outcome.observables, strict=True)):
        there = position not in outcome.missing
        scored = there and spec.likelihood.kind is not Kind.OFF
        table.add_row(
            spec.code or "(file)", spec.name, f"{value:.9g}" if there else "-", spec.unit,
            _describe(spec.likelihood, spec.valid), f"{losses[0, position]:.6g}" if scored else "",
        )  # fmt: skip
    console.print(table)
    codes = Table("code", "seconds", "can end a point")
    for number, code in enumerate(chain.scan.codes):
        ran = number < len(outcome.seconds)
        codes.add_row(code.name, f"{outcome.seconds[number]:.3f}" if ran else "-", "yes" if can_end(code) else "")
    console.print(codes)
    for warning in outcome.warnings:
        console.print(f"warning: {warning}")
    line = f"status {outcome.status.name}"
    line += f", NLL {nll[0]:.6g}" if outcome.status is Status.OK else f": {outcome.failed_code} {outcome.message}"
    console.print(line)


def _describe(likelihood: Likelihood, valid: tuple[float, float] | None) -> str:
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


def _print_files(console: Console, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and os.path.getsize(path):
            console.rule(f"{path.relative_to(folder)} ({os.path.getsize(path)} bytes)")
            console.print(read_tail(path, 20_000).rstrip())
