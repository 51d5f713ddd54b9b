"""Runs one point through the chain of codes, and gives its observables, its status, and why it ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from time import perf_counter  # by name, because a code may replace functions of `time`
from typing import NamedTuple

import numpy as np

from evaluator import InvalidPoint
from evaluator.codes.forks import in_this_process
from evaluator.codes.point import Point
from evaluator.codes.protocol import Code
from evaluator.codes.registry import make_code
from evaluator.errors import (
    CodeFailed,
    CodeKilled,
    CodeTimedOut,
    ConfigurationError,
    ObservableFailed,
)
from evaluator.expressions import Expression
from evaluator.files import FULL, remove_tree
from evaluator.fit_method import read_fit_method
from evaluator.fitting import Solver
from evaluator.readings import Found, Known, Reading, check_conditions, read_all
from scanspec import Likelihood, LodescanError, ObservableSpec, ScanFile, ScanFileError, losses_and_nll
from scanspec.files import read_bytes
from scanspec.raised import printable, what_was_raised, words_of
from scanspec.spectrum import FILES_NOT_KEPT

MOST_WARNINGS = 20
"""The most warnings that one point may have."""

LARGEST_SPECTRA = 2**20
"""The most bytes of spectrum files that one point may return."""


class Status(IntEnum):
    """The status of a point; numbers as in the contract."""

    OK = 1
    INVALID = 2
    FAILED = 3
    TIMED_OUT = 4
    KILLED = 5
    CANCELLED = 6


OK = Status.OK
"""By name, for what happens at each point: to read an attribute of a class takes as long as a short call."""


class Outcome(NamedTuple):
    """The result of one point.

    `observables` has one value for each observable of the scan file, in its order and unit, NaN for those in `missing`
    (positions); `seconds` is the wall time of each code that ran; `spectra` are the spectrum files that the codes
    wrote, if they were asked for. `not_given` is the position of the observable that made the point FAILED although its
    code ended well, else None.
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
    """One code, with its observables and conditions."""

    name: str
    code: Code
    readings: list[Reading]
    conditions: list[Expression]


class Progress:
    """The progress of a point: the present code, and the seconds of each code so far.

    `on_step` is called with the number of each code before it runs, except the very first.
    """

    def __init__(self, on_step: Callable[[int], None] | None) -> None:
        self.code = ""
        self.seconds: list[float] = []
        self._on_step = on_step

    def run(self, number: int, step: Step, point: Point) -> Mapping[str, float]:
        """Runs a code and returns its observables. Raises the code's errors."""
        self.code = step.name
        if self._on_step is not None and self.seconds:
            self._on_step(number)
        start = perf_counter()
        try:
            given = in_this_process(step.code.run, point)  # codes of any kind may fork
            step.code.has_ended = True
            return given
        except (InvalidPoint, CodeFailed):
            step.code.has_ended = True
            raise
        finally:
            if number == len(self.seconds):
                self.seconds.append(0.0)
            self.seconds[number] += perf_counter() - start


class Chain:
    """The codes of a scan file, in order. Raises ConfigurationError if a name or a template is wrong."""

    def __init__(self, scan: ScanFile) -> None:
        self.scan = scan
        self.used_scratch = False
        """Whether the last point made its scratch folder."""
        self._names = [variable.name for variable in scan.variables]
        self._specs = scan.all_observables()
        known = Known(scan)
        self._derived = [known.reading(spec) for spec in self._specs if spec.name in scan.derived]
        self.steps = _make_steps(scan, known)
        self._top = [known.reading(spec) for spec in (*scan.observables, *scan.terms)]
        self.fit_method = read_fit_method(scan)
        self._solver: Solver | None = None
        if scan.fitting is not None and self.fit_method is not None:
            wanted = {target.name for target in scan.fitting.targets}
            giving = [
                n for n, step in enumerate(self.steps) if wanted & {reading.spec.name for reading in step.readings}
            ]
            self._to_the_end = bool(wanted & {reading.spec.name for reading in self._top})
            self._inner_steps = self.steps if self._to_the_end else self.steps[: max(giving) + 1]
            self._solver = Solver(scan.fitting, self.fit_method, str(scan.path))

    @cached_property
    def specs(self) -> list[ObservableSpec]:
        """The scan file's observables in order, with likelihoods that are a code's measurements filled in.

        Raises ConfigurationError or ScanFileError if flavio has no such measurement.
        """
        measured: dict[str, Likelihood] = {}
        for step in self.steps:
            measured |= step.code.measured()
        return [replace(spec, likelihood=measured.get(spec.name, spec.likelihood)) for spec in self._specs]

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
        """Evaluates one point. `variables` are finite values in the file's order and units.

        `on_step` is called with the number of each code but the first before it runs. The spectrum files of an OK point
        with an NLL below `spectra_below` are part of the outcome. Without `windows`, neither windows nor conditions end
        the point. Errors of codes end in the outcome; it only raises errors of the scan file (LodescanError).
        """
        point = Point(dict(zip(self._names, variables, strict=True)), variables, scratch)
        found, progress = Found(len(self._specs)), Progress(on_step)
        status, message = OK, ""
        not_given: int | None = None
        self.used_scratch = True  # until a code says something else
        try:
            # 1. the fitted variables
            if self._solver is not None:
                self._solve(self._solver, point, found, progress, scratch)
            # 2. the derived variables
            if self._derived:
                self._derive(point, found)
            # 3. the codes in turn, each with its observables and conditions, which may end the point
            for number, step in enumerate(self.steps):
                given = progress.run(number, step, point)
                read_all(step.readings, given, point, found, windows=windows)
                if step.conditions and windows:
                    check_conditions(step.conditions, point)
            progress.code = ""
            # 4. the file's own observables
            if self._top:
                read_all(self._top, {}, point, found, windows=windows)
        except InvalidPoint as error:
            status, message = Status.INVALID, words_of(error)
        except CodeFailed as error:
            status, message = Status.FAILED, str(error)
            not_given = error.position if isinstance(error, ObservableFailed) else None
        except CodeTimedOut as error:
            status, message = Status.TIMED_OUT, str(error)
        except CodeKilled as error:
            status, message = Status.KILLED, str(error)
        except OSError as error:  # an error of the evaluator itself in the point's folder
            status = Status.KILLED if error.errno in FULL else Status.FAILED
            message = f"the files of the point cannot be written or read: {words_of(error)}"
        except LodescanError:  # an error of the scan file
            raise
        except Exception as error:  # noqa: BLE001  # a kind of code that does not handle its own errors
            status, message = Status.FAILED, what_was_raised(error)
        self.used_scratch = point.used_scratch or (self._solver is not None and bool(progress.seconds))
        # 5. the spectrum files of a point with a low NLL
        spectra: list[bytes] = []
        if status is OK and point.spectra and spectra_below > -math.inf:
            spectra = self._read_spectra(point, found, spectra_below)
        if status is OK and not point.warnings and not spectra:
            return Outcome(status, found.numbers, [], progress.seconds)
        return Outcome(
            status,
            found.numbers,
            missing=found.missing,
            seconds=progress.seconds,
            failed_code=progress.code,
            message=printable(message),
            warnings=[printable(warning) for warning in point.warnings[:MOST_WARNINGS]],
            spectra=spectra,
            not_given=not_given,
        )

    def _solve(
        self, solver: Solver, point: Point, found: Found, progress: Progress, scratch: str | Path | None
    ) -> None:
        """Solves for the variables of the section `fitting`, by runs of the codes that give the targets."""
        assert self.scan.fitting is not None
        targets, solved = self.scan.fitting.targets, self.scan.fitting.variables
        folder = Path(scratch) / "fitting" if scratch is not None else None

        def observe(values: list[float]) -> list[float]:
            names = point.names | dict(zip((variable.name for variable in solved), values, strict=True))
            inner, observed = Point(names, point.variables, folder), Found(len(self._specs))
            try:
                self._derive(inner, observed)
                for number, step in enumerate(self._inner_steps):
                    given = progress.run(number, step, inner)
                    read_all(step.readings, given, inner, observed, windows=False)
                if self._to_the_end:
                    read_all(self._top, {}, inner, observed, windows=False)
            finally:
                if folder is not None:
                    remove_tree(folder)
            return [inner.names[target.name] for target in targets]

        for position, value in enumerate(solver.solve(observe)):  # fitted variables come first among the observables
            found.values[position] = point.names[self._specs[position].name] = value

    def _derive(self, point: Point, found: Found) -> None:
        read_all(self._derived, {}, point, found)
        for _, spec, _ in self._derived:
            if not math.isfinite(point.names[spec.name]):
                raise InvalidPoint(f"the derived variable {spec.name} = {spec.function} is not finite here")

    def _read_spectra(self, point: Point, found: Found, below: float) -> list[bytes]:
        _, nll = losses_and_nll([spec.likelihood for spec in self.specs], np.array([found.numbers]))
        if not nll[0] < below:
            return []
        files = [path for path in point.spectra if path.is_file()]  # a later code may have removed one
        if sum(path.stat().st_size for path in files) > LARGEST_SPECTRA:
            point.warnings.append(f"its spectrum files are larger than {LARGEST_SPECTRA >> 20} {FILES_NOT_KEPT}")
            return []
        return [read_bytes(path, LARGEST_SPECTRA) for path in files]


def _make_steps(scan: ScanFile, known: Known) -> list[Step]:
    """The codes in order. Raises one ConfigurationError with the errors of all codes."""
    steps: list[Step] = []
    faults: list[str] = []
    for spec in scan.codes:
        try:
            code = make_code(spec, scan, known.names)
            known.add(code.defined_names)
            readings = [known.reading(observable) for observable in spec.observables]
            where = f"{scan.path}, line {spec.section.line('conditions')}"
            conditions = [known.expression(text, where) for text in spec.conditions]
        except (ConfigurationError, ScanFileError) as error:  # collected with errors of the other codes
            faults.append(str(error))
            known.add([observable.name for observable in spec.observables])
        else:
            steps.append(Step(spec.name, code, readings, conditions))
    if scan.blocks and not faults and not any(step.code.fills_a_template for step in steps):
        where = next(iter(scan.block_lines.values()), str(scan.path))
        faults.append(f"{where}: blocks are written into a template, but no code that runs has one")
    if faults:
        raise ConfigurationError("\n".join(faults))
    return steps
