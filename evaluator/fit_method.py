"""How the section `fitting` is solved: a method of scipy.optimize with its options. This file does not import scipy."""

from __future__ import annotations

from dataclasses import dataclass

from scanspec import ScanFile
from scanspec.document import closest
from scanspec.fitting import EPS, MOST_RUNS, Fitting

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
class FitMethod:
    """A method by scipy's name, the step `eps` of finite differences as a share of a range, and the most runs of the
    codes for one point.
    """

    name: str = ""
    eps: float = EPS
    most: int = MOST_RUNS

    def describe(self, fitting: Fitting) -> str:
        """What decides the solutions, for the physics digest."""
        return (
            f"Fitting(variables={fitting.variables!r}, targets={fitting.targets!r}, method={self.name!r}, "
            f"eps={self.eps!r}, most={self.most!r})"
        )


def read_fit_method(scan: ScanFile) -> FitMethod | None:
    """Reads `method` and `options` of the section `fitting`; None without one. Raises ScanFileError."""
    if scan.fitting is None:
        return None
    section = scan.fitting.section
    variables, targets = len(scan.fitting.variables), len(scan.fitting.targets)
    asked = section.text("method", "")
    name = next((method for method in METHODS if method.lower() == asked.lower()), None)
    if name is None:
        raise section.error(f"there is no method {asked!r} to fit with{closest(asked, METHODS[1:])}", "method")
    if name in (*BRACKETING, *STEPPING) and variables + targets != 2:
        raise section.error(f"{name} solves for one variable with one target; leave the method out", "method")
    if name in ROOTS and variables != targets:
        raise section.error(f"{name} needs as many targets as variables; leave the method out", "method")
    return FitMethod(name, scan.fitting.eps, scan.fitting.most_runs)
