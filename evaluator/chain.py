"""One point through the chain of codes: observables, status, and why it ended."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evaluator.codes.flavio import FlavioCode
from evaluator.codes.point import Point
from evaluator.codes.protocol import Code
from evaluator.codes.registry import make_code
from evaluator.errors import (
    CodeFailed,
    CodeKilled,
    CodeTimedOut,
    ConfigurationError,
    InvalidPoint,
    ObservableFailed,
)
from evaluator.expressions import Expression
from evaluator.files import FULL, read_regular
from evaluator.fit_method import read_fit_method
from evaluator.fitting import Solver
from scanspec import Likelihood, ObservableSpec, ScanFile, ScanFileError, losses_and_nll
from scanspec.document import closest, plain_name
from scanspec.spectrum import FILES_NOT_KEPT, EntryMissing

MOST_WARNINGS = 20
"""The most warnings that one point may have."""

LONGEST_TEXT = 500
"""The most characters of a message or a warning."""

LARGEST_SPECTRA = 2**20
"""The most bytes of spectrum files that one point may return."""


class Status(IntEnum):
    """What happened to a point; numbers as in the wire contract."""

    OK = 1
    INVALID = 2
    FAILED = 3
    TIMED_OUT = 4
    KILLED = 5
    CANCELLED = 6


class Outcome(NamedTuple):
    """What came of one point.

    `observables` has one value for each observable of the scan file, in its order and unit,
    NaN for those in `missing` (positions); `seconds` is the wall time of each code that ran;
    `spectra` are the files that its codes wrote, where they were asked for; `not_given` is the position of the
    observable at which a point FAILED whose code ended well.
    """

    status: Status
    observables: list[float] = []
    missing: list[int] = []
    seconds: list[float] = []
    failed_code: str = ""
    message: str = ""
    warnings: list[str] = []
    spectra: list[bytes] = []
    not_given: int | None = None


@dataclass
class Step:
    """One code with what is read from it."""

    name: str
    code: Code
    observables: list[tuple[int, ObservableSpec, Expression | None]]
    conditions: list[Expression] = field(default_factory=list)


class Chain:
    """The codes of a scan file, in order. Raises ConfigurationError when a name or a template is wrong."""

    def __init__(self, scan: ScanFile) -> None:
        self.scan = scan
        self.used_scratch = False
        """Whether the last point has made its scratch folder."""
        self._specs = scan.all_observables()
        self._names = [each.name for each in scan.variables]
        fitted = scan.fitting.variables if scan.fitting is not None else ()
        known = [*self._names, *(each.name for each in fitted)]
        positions = {spec.name: position for position, spec in enumerate(self._specs)}
        self._derived = [self._prepare(spec, positions, known) for spec in self._specs if spec.name in scan.derived]
        self.steps: list[Step] = []
        faults: list[str] = []
        for code_spec in scan.codes:
            try:
                code = make_code(code_spec, scan, known)
            except (ConfigurationError, ScanFileError) as error:  # those of the other codes are worth saying too
                faults.append(str(error))
                known += [each.name for each in code_spec.observables]
                continue
            known += getattr(code, "gives", ())
            observables = [self._prepare(spec, positions, known) for spec in code_spec.observables]
            where = f"{scan.path}, line {code_spec.section.line('conditions')}"
            conditions = [self._expression(text, known, where) for text in code_spec.conditions]
            self.steps.append(Step(code_spec.name, code, observables, conditions))
        if faults:
            raise ConfigurationError("\n".join(faults))
        if scan.blocks and not any(getattr(step.code, "fills_a_template", False) for step in self.steps):
            where = next(iter(scan.block_places.values()), str(scan.path))
            raise ConfigurationError(f"{where}: blocks are written into a template, but no code that runs has one")
        self._top = [self._prepare(spec, positions, known) for spec in scan.observables]
        self.fit_method = read_fit_method(scan)
        self._solver: Solver | None = None
        if scan.fitting is not None and self.fit_method is not None:
            wanted = {each.name for each in scan.fitting.targets}
            giving = [n for n, step in enumerate(self.steps) if wanted & {spec.name for _, spec, _ in step.observables}]
            self._to_the_end = bool(wanted & {spec.name for _, spec, _ in self._top})
            self._inner_steps = self.steps if self._to_the_end else self.steps[: max(giving) + 1]
            self._solver = Solver(scan.fitting, self.fit_method, str(scan.path))

    def _prepare(
        self, spec: ObservableSpec, positions: dict[str, int], known: list[str]
    ) -> tuple[int, ObservableSpec, Expression | None]:
        expression = None
        if spec.function is not None:
            key = spec.name if spec.name in self.scan.derived else "function"
            where = f"{spec.section.file}, line {spec.section.line(key)}"
            expression = self._expression(spec.function, known, where)
        known.append(spec.name)
        return positions[spec.name], spec, expression

    def _expression(self, text: str, known: list[str], where: str) -> Expression:
        later = {each.name for each in self._specs} - set(known)
        return Expression(text, known, where, len(self.scan.variables), self.scan.switched_off, later)

    @cached_property
    def specs(self) -> list[ObservableSpec]:
        """The scan file's observables in order, with likelihoods that are a code's measurements filled in.

        Raises ConfigurationError or ScanFileError where there is no such measurement.
        """
        measured: dict[str, Likelihood] = {}
        for step in self.steps:
            if isinstance(step.code, FlavioCode):
                measured |= step.code.measured()
        return [replace(each, likelihood=measured.get(each.name, each.likelihood)) for each in self._specs]

    def load(self) -> None:
        """Prepares this process for points; raises ConfigurationError."""
        for step in self.steps:
            step.code.load()

    def evaluate(
        self,
        variables: Sequence[float],
        scratch: str | Path | None = None,
        on_step: Callable[[int], None] | None = None,
        spectra_below: float = -math.inf,
        *,
        windows: bool = True,
    ) -> Outcome:
        """Works out one point; `variables` in the file's order and units, finite.

        `on_step` hears the number of each code but the first before it runs. The spectrum files of
        an OK point with an NLL below `spectra_below` are part of the outcome. Without `windows` neither
        VALID windows nor conditions end it. Never raises for what a code does; a ConfigurationError is
        the scan file's fault.
        """
        found = [math.nan] * len(self._specs)
        missing = set(range(len(self._specs)))
        seconds: list[float] = []
        point = Point(dict(zip(self._names, variables, strict=True)), variables, scratch)
        status, name, message = Status.OK, "", ""
        not_given: int | None = None

        def begin(number: int) -> None:
            nonlocal name
            name = self.steps[number].name
            if on_step is not None and (number or inner):
                on_step(number)

        inner: list[float] = []  # seconds of each code in the inner solve
        self.used_scratch = True  # as long as nobody knows better
        try:
            if self._solver is not None:
                for position, value in enumerate(self._solve(variables, scratch, begin, inner)):
                    found[position] = point.names[self._specs[position].name] = value
                    missing.discard(position)
            if self._derived:
                self._derive(point, found, missing)
            for number, step in enumerate(self.steps):
                begin(number)
                start = time.perf_counter()
                try:
                    given = step.code.run(point)
                finally:
                    seconds.append(time.perf_counter() - start + sum(inner[number : number + 1]))
                self._collect(point, step.observables, given, found, missing, windows=windows)
                if step.conditions and windows:
                    self._check_conditions(point, step)
            name = ""
            if self._top:
                self._collect(point, self._top, {}, found, missing, windows=windows)
        except InvalidPoint as error:
            status, message = Status.INVALID, str(error)
        except CodeFailed as error:
            status, message = Status.FAILED, str(error)
            not_given = error.position if isinstance(error, ObservableFailed) else None
        except CodeTimedOut as error:
            status, message = Status.TIMED_OUT, str(error)
        except CodeKilled as error:
            status, message = Status.KILLED, str(error)
        except OSError as error:  # of the evaluator's own work in the point's folder
            status = Status.KILLED if error.errno in FULL else Status.FAILED
            message = f"the files of the point cannot be written or read: {error}"
        seconds = seconds or inner
        self.used_scratch = point.used_scratch or bool(inner)
        spectra: list[bytes] = []
        if status is Status.OK and point.spectra and spectra_below > -math.inf:
            spectra = self._read_spectra(point, found, spectra_below)
        if status is Status.OK and not point.warnings and not spectra:
            return Outcome(status, found, [], seconds)
        warnings = [printable(each) for each in point.warnings[:MOST_WARNINGS]]
        message = printable(message)
        return Outcome(status, found, sorted(missing), seconds, name, message, warnings, spectra, not_given)

    def _read_spectra(self, point: Point, found: list[float], below: float) -> list[bytes]:
        _, nll = losses_and_nll([spec.likelihood for spec in self.specs], np.array([found]))
        if not nll[0] < below:
            return []
        files = [path for path in point.spectra if path.is_file()]  # a later code may have taken one away
        if sum(path.stat().st_size for path in files) > LARGEST_SPECTRA:
            point.warnings.append(f"its spectrum files are larger than {LARGEST_SPECTRA >> 20} {FILES_NOT_KEPT}")
            return []
        return [read_regular(path, LARGEST_SPECTRA)[:LARGEST_SPECTRA] for path in files]

    def _solve(
        self,
        variables: Sequence[float],
        scratch: str | Path | None,
        begin: Callable[[int], None],
        seconds: list[float],
    ) -> list[float]:
        """The values of the variables of the section fitting; adds what each code took to `seconds`."""
        assert self._solver is not None and self.scan.fitting is not None
        fitting, folder = self.scan.fitting, Path(scratch) / "fitting" if scratch is not None else None
        names = [*self._names, *(each.name for each in fitting.variables)]

        def observe(values: list[float]) -> list[float]:
            point = Point(dict(zip(names, [*variables, *values], strict=True)), variables, folder)
            found, missing = [math.nan] * len(self._specs), set(range(len(self._specs)))
            try:
                self._derive(point, found, missing)
                for number, step in enumerate(self._inner_steps):
                    begin(number)
                    start = time.perf_counter()
                    try:
                        given = step.code.run(point)
                    finally:
                        seconds.extend([0.0] * (number + 1 - len(seconds)))
                        seconds[number] += time.perf_counter() - start
                    self._collect(point, step.observables, given, found, missing, windows=False)
                if self._to_the_end:
                    self._collect(point, self._top, {}, found, missing, windows=False)
            finally:
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)
            return [point.names[each.name] for each in fitting.targets]

        return self._solver.solve(observe)

    def _derive(self, point: Point, found: list[float], missing: set[int]) -> None:
        self._collect(point, self._derived, {}, found, missing)
        for position, spec, _ in self._derived:
            if not math.isfinite(found[position]):
                raise InvalidPoint(f"the derived variable {spec.name} = {spec.function} is not finite here")

    def _collect(
        self,
        point: Point,
        wanted: list[tuple[int, ObservableSpec, Expression | None]],
        given: Mapping[str, float],
        found: list[float],
        missing: set[int],
        *,
        windows: bool = True,
    ) -> None:
        outside: str | None = None
        for position, spec, expression in wanted:
            if spec.slha is not None:
                try:
                    value = point.spectrum.entry(spec.slha)
                except (CodeFailed, EntryMissing) as error:
                    raise ObservableFailed(str(error), position) from error
            elif expression is not None:
                value = expression(point.names, point.variables)
            elif spec.name in given:
                value = given[spec.name]
            elif spec.name in (plain := {plain_name(str(each)): each for each in given}):
                value = given[plain[spec.name]]
            else:
                hint = closest(spec.name, map(str, given))
                what = f"the observable {spec.name} is declared, but the code did not give it{hint}"
                raise ObservableFailed(what, position)
            try:
                value = float(value)
            except (TypeError, ValueError, OverflowError):
                what = f"the observable {spec.name} is {value!r:.80}, not a number"
                raise ObservableFailed(what, position) from None
            found[position] = point.names[spec.name] = value
            missing.discard(position)
            if windows and outside is None and spec.valid is not None and not spec.valid[0] <= value <= spec.valid[1]:
                outside = f"{spec.name} = {value:.6g} is outside [{spec.valid[0]:g}, {spec.valid[1]:g}]"
        if outside is not None:  # only now, so that all of this code's observables are kept
            raise InvalidPoint(outside)

    def _check_conditions(self, point: Point, step: Step) -> None:
        for condition in step.conditions:
            value = condition(point.names, point.variables)
            if value != value or not value:
                raise InvalidPoint(f"the condition {condition.text} does not hold")


def printable(text: str) -> str:
    """One line of bounded length without control characters: it ends in logs, tables and terminals."""
    words = " ".join(text[: 4 * LONGEST_TEXT].split())
    return "".join(char for char in words if char.isprintable())[:LONGEST_TEXT]
