"""Reads observables after a code has run, and checks windows and conditions."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from evaluator import InvalidPoint
from evaluator.codes.point import Point
from evaluator.errors import CodeFailed, ObservableFailed
from evaluator.expressions import Expression
from scanspec import ObservableSpec, ScanFile
from scanspec.blocks import to_float
from scanspec.document import closest, plain_name
from scanspec.observables import outside
from scanspec.raised import shown
from scanspec.spectrum import EntryMissing


class Reading(NamedTuple):
    """One observable: its position in the file's order, its entry of the file, and its expression if it has one."""

    position: int
    spec: ObservableSpec
    expression: Expression | None

    def value(self, point: Point, given: Mapping[str, float]) -> float:
        """The value of the observable, in the file's unit. `given` are the values that the code returned. Raises
        ObservableFailed.
        """
        spec = self.spec
        found: Any  # a user's function may return anything
        if spec.slha is not None:
            try:
                found = point.spectrum.entry(spec.slha)
            except (CodeFailed, EntryMissing) as error:
                raise ObservableFailed(str(error), self.position) from error
        elif self.expression is not None:
            found = self.expression(point.names, point.variables)
        elif spec.term is not None:
            return spec.term.at([point.names[name] for name in spec.term.observables])
        elif spec.name in given:
            found = given[spec.name]
        else:
            found = self._by_plain_name(given)
        if type(found) is float:  # the usual case
            return found
        try:
            return to_float(found) if isinstance(found, str) else float(_real(found))
        except Exception as error:  # a user's own type may raise anything
            what = "not a number below 1.8e308" if isinstance(error, OverflowError) else "not a number"
            message = f"the observable {spec.name} is {shown(found)}, {what}"
            raise ObservableFailed(message, self.position) from error

    def _by_plain_name(self, given: Mapping[str, float]) -> float:
        plain = {plain_name(str(key)): key for key in given}
        if self.spec.name in plain:
            return given[plain[self.spec.name]]
        hint = closest(self.spec.name, map(str, given))
        message = f"the observable {self.spec.name} is declared, but the code did not give it{hint}"
        raise ObservableFailed(message, self.position)


def _real(value: Any) -> Any:
    """The value. Raises TypeError for a complex number, whose imaginary part numpy would drop."""
    if isinstance(value, complex) or getattr(getattr(value, "dtype", None), "kind", "") == "c":
        raise TypeError
    return value


class Found:
    """The observables of one point, by position; None where one is still missing."""

    __slots__ = ("values",)

    def __init__(self, count: int) -> None:
        self.values: list[float | None] = [None] * count

    @property
    def numbers(self) -> list[float]:
        """The observables; NaN where one is missing."""
        return [math.nan if value is None else value for value in self.values]

    @property
    def missing(self) -> list[int]:
        """The positions of the observables that are missing."""
        return [position for position, value in enumerate(self.values) if value is None]


def read_all(
    readings: Sequence[Reading], given: Mapping[str, float], point: Point, found: Found, *, windows: bool = True
) -> None:
    """Reads observables in turn, and adds them to `found` and to the names of the point.

    Raises ObservableFailed, and with `windows` also InvalidPoint for an observable outside its window.
    """
    left = ""
    names, values = point.names, found.values
    for reading in readings:
        value, spec = reading.value(point, given), reading.spec
        values[reading.position] = names[spec.name] = value
        if windows and not left:
            left = outside(spec.name, value, spec.valid)
    if left:  # raised last, so that all of this code's observables are kept
        raise InvalidPoint(left)


def check_conditions(conditions: Sequence[Expression], point: Point) -> None:
    """Raises InvalidPoint if a condition does not hold or is not a number."""
    for condition in conditions:
        value = condition(point.names, point.variables)
        if value != value:
            raise InvalidPoint(f"the condition {condition.text} is not a number here")
        if not value:
            raise InvalidPoint(f"the condition {condition.text} does not hold")


class Known:
    """Collects the names that expressions may use, in the order in which a point defines them."""

    def __init__(self, scan: ScanFile) -> None:
        fitted = scan.fitting.variables if scan.fitting is not None else ()
        self.names = [*(variable.name for variable in scan.variables), *(variable.name for variable in fitted)]
        self._scan = scan
        self._positions = {spec.name: position for position, spec in enumerate(scan.all_observables())}

    def add(self, names: Collection[str]) -> None:
        """Adds names that later expressions may use."""
        self.names += names

    def expression(self, text: str, where: str) -> Expression:
        """An expression of the file. Raises ConfigurationError, starting with `where`."""
        return Expression(text, self.names, where, len(self._scan.variables), self._scan.out_of_reach())

    def reading(self, spec: ObservableSpec) -> Reading:
        """The Reading of the next observable. Raises ConfigurationError."""
        expression = None
        if spec.function is not None:
            key = spec.name if spec.name in self._scan.derived else "function"
            expression = self.expression(spec.function, f"{spec.section.file}, line {spec.section.line(key)}")
        self.add([spec.name])
        return Reading(self._positions[spec.name], spec, expression)
