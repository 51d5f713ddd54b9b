"""Reads the section `fitting`: variables that are solved for at each point so that observables meet their targets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from scanspec import keys
from scanspec.document import Section
from scanspec.variables import PriorKind, Variable, read_variable

EPS, MOST_RUNS = 1e-4, 200
"""Defaults of the options: the step of finite differences as a fraction of the range, and the most runs of the codes.
"""


@dataclass(frozen=True)
class Target:
    """The observable `name` shall be `value` within `sigma`, both in its unit."""

    name: str
    value: float
    sigma: float


@dataclass(frozen=True)
class Fitting:
    """The variables that are solved for at each point, and the targets to be met. The evaluator reads the method in
    `section`.
    """

    variables: tuple[Variable, ...]
    targets: tuple[Target, ...]
    section: Section = field(repr=False)

    @property
    def eps(self) -> float:
        """The step of finite differences, as a fraction of the range. Raises ScanFileError."""
        return self._options.number_in("eps", EPS, 0.0, 0.5, open_low=True)

    @property
    def most_runs(self) -> int:
        """The most runs of the codes for one point. Raises ScanFileError."""
        return self._options.integer("max_evaluations", MOST_RUNS, 3)

    @property
    def _options(self) -> Section:
        return self.section.section("options", keys.FITTING_OPTIONS)


def read_fitting(root: Section) -> Fitting | None:
    """Reads the section `fitting`; None if the file has none. Raises ScanFileError."""
    section = root.section("fitting", keys.FITTING)
    if not list(section):
        return None
    section.require("variables", ": the variables to solve for, each with a range")
    section.require("observables", ": the observables to meet, each with a target and a sigma")
    named = section.section("variables")
    variables = tuple(read_variable(named, name) for name in named)
    for variable in variables:
        plain = variable.prior is PriorKind.UNIFORM and not (
            variable.cardinality or variable.periodic or variable.steps or variable.fixed
        )
        if not plain or not math.isfinite(variable.low + variable.high):
            raise named.error(
                f"{variable.name!r} is solved for within a range; write range: [low, high] alone", variable.name
            )
    targets = tuple(_read_target(section.section("observables"), name) for name in section.section("observables"))
    found = Fitting(variables, targets, section)
    for check in (lambda: found.eps, lambda: found.most_runs, lambda: section.text("method", "")):
        with section.faults.collect():
            check()
    return found


def _read_target(section: Section, name: str) -> Target:
    entry = section.section(name, keys.FITTING_OBSERVABLE)
    value = entry.finite("target")
    sigma = entry.number_in("sigma", 1e-3 * max(abs(value), 1e-3), 0.0, math.inf, open_low=True)
    return Target(name, value, sigma)
