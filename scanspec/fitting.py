"""Variables that are solved for at each point so that observables meet their targets."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scanspec import keys
from scanspec.document import Section, closest
from scanspec.variables import PriorKind, Variable, read_variable

BRACKETING = ("brentq", "brenth", "bisect", "ridder", "toms748")
STEPPING = ("secant", "newton")
"""Root finders for one variable and one target: in an interval, or from its middle."""

ROOTS = ("hybr", "lm", "broyden1", "broyden2", "anderson", "krylov", "df-sane")
"""For as many targets as variables."""

BOUNDED = ("Nelder-Mead", "L-BFGS-B", "TNC", "SLSQP", "Powell", "COBYLA", "COBYQA")
UNBOUNDED = ("BFGS", "CG")
"""Minimisers, that know bounds or not."""

METHODS = ("", *BRACKETING, *STEPPING, "least_squares", *ROOTS, *BOUNDED, *UNBOUNDED)
"""Those of scipy.optimize; none: brentq for one variable and one target, least_squares for more."""


@dataclass(frozen=True)
class Target:
    """An observable shall be `value` within `sigma`, both in its unit."""

    name: str
    value: float
    sigma: float


@dataclass(frozen=True)
class Fitting:
    """What is solved for at each point, and how.

    `eps` is the step of finite differences, as a share of a range; `most` the most runs
    of the codes for one point.
    """

    variables: tuple[Variable, ...]
    targets: tuple[Target, ...]
    method: str = ""
    eps: float = 1e-4
    most: int = 200


def read_fitting(root: Section, ignored: list[str]) -> Fitting | None:
    """Reads the section `fitting`; None where there is none. Raises ScanFileError."""
    section = root.section("fitting", keys.FITTING)
    if not list(section):
        return None
    section.require("variables", ": what is solved for, each with a range")
    section.require("observables", ": what is to be met, each with a target and a sigma")
    named = section.section("variables")
    variables = tuple(read_variable(named, name, ignored) for name in named)
    for each in variables:
        plain = each.prior is PriorKind.UNIFORM and not (each.shares or each.periodic or each.steps or each.fixed)
        if not plain or not math.isfinite(each.low + each.high):
            raise named.error(f"{each.name!r} is solved for within a range; write range: [low, high] alone", each.name)
    targets = tuple(_read_target(section.section("observables"), name) for name in section.section("observables"))
    options = section.section("options", keys.FITTING_OPTIONS)
    ignored += section.ignored + options.ignored
    asked = section.text("method", "")
    method = next((each for each in METHODS if each.lower() == asked.lower()), None)
    if method is None:
        raise section.error(f"there is no method {asked!r} to fit with{closest(asked, METHODS[1:])}", "method")
    if method in (*BRACKETING, *STEPPING) and len(variables) + len(targets) != 2:
        raise section.error(f"{method} solves for one variable with one target; leave the method out", "method")
    if method in ROOTS and len(variables) != len(targets):
        raise section.error(f"{method} needs as many targets as variables; leave the method out", "method")
    eps = options.number_in("eps", Fitting.eps, 0.0, 0.5, open_low=True)
    return Fitting(variables, targets, method, eps, options.integer("max_evaluations", Fitting.most, 3))


def _read_target(section: Section, name: str) -> Target:
    entry = section.section(name, keys.FITTING_OBSERVABLE)
    value = entry.finite("target")
    sigma = entry.number_in("sigma", 1e-3 * max(abs(value), 1e-3), 0.0, math.inf, open_low=True)
    return Target(name, value, sigma)
