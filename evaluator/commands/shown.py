"""Prints what the codes give at one point, for the commands `check` and `point`."""

from __future__ import annotations

import faulthandler
import math
import sys
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluator.chain import Chain, Outcome, Status
from evaluator.commands.order import can_end
from evaluator.commands.ranges import what_is_outside
from scanspec import Kind, ObservableSpec, ScanFile, losses_and_nll, visible
from scanspec.likelihoods import LARGEST_LOSS
from scanspec.text import broken

_NEAR_THE_CAP = 0.9
"""Fraction of the largest loss above which a warning is printed; a Gaussian reaches it at 57 sigma."""


class PointConsole(Console):
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


def open_console() -> PointConsole:
    """A console for names and texts of any kind: without markup. Lines are cut only at a terminal."""
    faulthandler.enable()  # so that a message is left if a code ends this process
    terminal = sys.stdout.isatty()
    return PointConsole(
        markup=False, highlight=False, emoji=False, soft_wrap=not terminal, width=None if terminal else 200
    )


def print_tables(console: PointConsole, chain: Chain, values: list[float], outcome: Outcome) -> None:
    """Prints the values of the variables, and, if a code gave any, the observables and the seconds of the codes."""
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
            show_likelihood(chain.scan, spec),
            f"{losses[0, position]:.6g}" if scored else "",
        )
    console.print(table)
    codes = Table("code", "seconds", "can end a point")
    for number, code in enumerate(chain.scan.codes):
        ran = number < len(outcome.seconds)
        codes.add_row(code.name, f"{outcome.seconds[number]:.3f}" if ran else "-", "yes" if can_end(code) else "")
    console.print(codes)


def print_status(console: PointConsole, chain: Chain, outcome: Outcome) -> None:
    """Prints the warnings, the status, and the NLL, or why there is none."""
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
            console.say(f"warning: {spec.name} is {show_no_number(value)}, so it has the largest possible loss")
        elif losses[0, position] > _NEAR_THE_CAP * LARGEST_LOSS:
            console.say(
                f"warning: {spec.name} = {value:.6g} is so far from {(spec.term or spec.likelihood).describe()} that "
                f"its loss is near the largest possible loss, {LARGEST_LOSS:.6g}; is it in another unit?"
            )
    console.say(f"status OK, NLL {nll[0]:.6g}")


def show_likelihood(scan: ScanFile, spec: ObservableSpec) -> str:
    """The likelihood of an observable in words, the terms that are functions of it, and the values that it may have."""
    parts = []
    if spec.likelihood.kind is not Kind.OFF:
        parts.append((spec.term or spec.likelihood).describe())
    if terms := scan.terms_of(spec.name):
        parts.append(f"in {', '.join(terms)}")
    if spec.valid is not None:
        parts.append(f"valid {spec.valid[0]:g} to {spec.valid[1]:g}")
    return ", ".join(parts)


def show_no_number(value: float) -> str:
    """A value that is NaN or infinite, in words."""
    return "not a number (NaN)" if math.isnan(value) else f"infinite ({value})"
