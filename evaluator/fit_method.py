"""Reads the method of scipy.optimize that solves the section `fitting`, and its options. This module does not import
scipy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scanspec import ScanFile
from scanspec.document import closest
from scanspec.fitting import EPS, MOST_RUNS, Fitting

BRACKETING = ("brentq", "brenth", "bisect", "ridder", "toms748")
STEPPING = ("secant", "newton")
"""Root finders for one variable and one target, which start from an interval (BRACKETING) or from its middle
(STEPPING).
"""

ROOTS = ("hybr", "lm", "broyden1", "broyden2", "anderson", "krylov", "df-sane")
"""Root finders for as many targets as variables."""

BOUNDED = ("Nelder-Mead", "L-BFGS-B", "TNC", "SLSQP", "Powell", "COBYLA", "COBYQA")
UNBOUNDED = ("BFGS", "CG")
"""Minimisers with bounds and without."""

METHODS = ("", *BRACKETING, *STEPPING, "least_squares", *ROOTS, *BOUNDED, *UNBOUNDED)
"""All methods, by their names in scipy.optimize. The empty name means brentq for one variable and one target, else
least_squares.
"""


@dataclass(frozen=True)
class FitMethod:
    """A method by scipy's name (see METHODS). `eps`: the step of finite differences as a fraction of the range; `most`:
    the most runs of the codes for one point.
    """

    name: str = ""
    eps: float = EPS
    most: int = MOST_RUNS

    def describe(self, fitting: Fitting) -> str:
        """All that decides the solutions, for the physics digest."""
        variables = tuple(replace(variable, unit="", label="", description="") for variable in fitting.variables)
        return (
            f"Fitting(variables={variables!r}, targets={fitting.targets!r}, method={self.name!r}, "
            f"eps={self.eps!r}, most={self.most!r})"
        )


def read_fit_method(scan: ScanFile) -> FitMethod | None:
    """Reads `method` and `options` of the section `fitting`; None if the file has no such section. Raises
    ScanFileError.
    """
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
