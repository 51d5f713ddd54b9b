"""Solves the section `fitting` at a point: scipy finds further variables for which observables meet their targets.

The environment `fitting` and most physics environments have scipy; the evaluator's base does not. It is imported only
for a file with the section `fitting`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from evaluator import InvalidPoint
from evaluator.errors import ConfigurationError
from evaluator.fit_method import BOUNDED, BRACKETING, ROOTS, STEPPING, UNBOUNDED, FitMethod
from scanspec.fitting import Fitting, Target

CLOSE = 0.01
"""The solve ends when every observable is this close to its target, in units of its sigma."""

_UNPHYSICAL = 1e4  # replaces the residual, in sigmas, of an unphysical point
_GRID = 9  # points of the grid on which a root is sought if the ends of the range do not enclose one

Values = list[float]


class _Ended(Exception):
    """Ends a solve that needs no further runs, or may not have any."""


class Solver:
    """Solves for the variables of a section `fitting`. Raises ConfigurationError if scipy is missing."""

    def __init__(self, fitting: Fitting, method: FitMethod, where: str) -> None:
        try:
            import scipy.optimize
        except ImportError:
            raise ConfigurationError(
                f"{where}: the section fitting needs scipy, which is not installed here; write environment: fitting "
                "into setup, or pip install '.[fitting]' in the clone, into the environment where this evaluator runs"
            ) from None
        self._optimize: Any = scipy.optimize
        self._fitting, self._method = fitting, method

    def solve(self, observe: Callable[[Values], Values]) -> Values:
        """The values of the variables. `observe` runs the codes and returns the observables in the order of the
        targets.

        Raises InvalidPoint if no values bring all observables within one sigma of their targets, and the errors of
        `observe` other than InvalidPoint.
        """
        search = _Search(self._fitting, self._method.most, observe)
        with contextlib.suppress(_Ended):
            self._run(search)
        if search.best is None or search.distance > 1.0:
            raise InvalidPoint(self._explain(search))
        return search.best

    def _run(self, search: _Search) -> None:
        fitting, method, optimize = self._fitting, self._method, self._optimize
        count = len(fitting.variables)
        start, bounds = [1.5] * count, [(1.0, 2.0)] * count
        if method.name in BRACKETING or (not method.name and count == len(fitting.targets) == 1):
            ends = search.enclose()
            if ends is not None:
                optimize.root_scalar(search.signed, bracket=ends, method=method.name or "brentq")
            return
        if method.name in STEPPING:
            # newton has no derivative here, so it is scipy's secant method too
            optimize.root_scalar(search.signed, x0=start[0], x1=start[0] + method.eps, method="secant")
        elif method.name in ROOTS:
            options = {"eps": method.eps**2} if method.name in ("hybr", "lm") else {}
            optimize.root(search.residuals, start, method=method.name, options=options)
        elif method.name in (*BOUNDED, *UNBOUNDED):
            takes_eps = method.name in ("L-BFGS-B", "TNC", "SLSQP", "BFGS", "CG")
            options = {"eps": method.eps} if takes_eps else {}
            known = {"bounds": bounds} if method.name in BOUNDED else {}
            optimize.minimize(search.square, start, method=method.name, options=options, **known)
        else:
            optimize.least_squares(search.residuals, start, bounds=(1.0, 2.0), diff_step=method.eps)

    def _explain(self, search: _Search) -> str:
        ranges = ", ".join(
            f"{variable.name} in [{variable.low:g}, {variable.high:g}]" for variable in self._fitting.variables
        )
        wanted = " and ".join(
            f"{target.name} = {target.value:g} +- {target.sigma:g}" for target in self._fitting.targets
        )
        if search.best is None:
            return f"fitting: every run for {ranges} was unphysical"
        found = ", ".join(
            f"{target.name} = {value:.6g}" for target, value in zip(self._fitting.targets, search.seen, strict=True)
        )
        return f"fitting: no {ranges} gives {wanted}; nearest after {search.runs} runs: {found}"


class _Search:
    """Runs the codes for the solver and keeps the best values. Coordinates from 1 to 2 stand for each range."""

    def __init__(self, fitting: Fitting, most: int, observe: Callable[[Values], Values]) -> None:
        self._fitting, self._most, self._observe = fitting, most, observe
        self._known: dict[tuple[float, ...], Values | None] = {}
        self.best: Values | None = None
        self.seen: Values = []
        self.distance = float("inf")
        self.runs = 0

    def residuals(self, coordinates: Any) -> Values:
        """The residuals (observable - target) / sigma; large for an unphysical point.

        Some methods leave the ranges. There the residuals are those of the nearest point inside, and grow with the
        distance.
        """
        inside = tuple(min(max(float(coordinate), 1.0), 2.0) for coordinate in coordinates)
        found = self._residuals(inside) or [_UNPHYSICAL] * len(self._fitting.targets)
        outside = sum(abs(float(coordinate) - within) for coordinate, within in zip(coordinates, inside, strict=True))
        return [residual * (1.0 + outside) for residual in found]

    def square(self, coordinates: Any) -> float:
        """ln(1 + sum of squared residuals). Without the logarithm, minimisers overshoot if a sigma is small."""
        return math.log1p(sum(residual**2 for residual in self.residuals(coordinates)))

    def signed(self, coordinate: float) -> float:
        """The residual of one target. Raises _Ended for an unphysical point, whose residual has no sign."""
        found = self._residuals((float(coordinate),))
        if found is None:
            raise _Ended
        return found[0]

    def enclose(self) -> tuple[float, float] | None:
        """Two coordinates with residuals of different signs; first the ends of the range, then a grid."""
        for count in (2, _GRID):
            grid = [1.0 + number / (count - 1) for number in range(count)]
            signs = [(at, found[0]) for at in grid if (found := self._residuals((at,))) is not None]
            for (left, below), (right, above) in pairwise(signs):
                if below * above < 0:
                    return left, right
        return None

    def _residuals(self, coordinates: tuple[float, ...]) -> Values | None:
        if coordinates in self._known:
            return self._known[coordinates]
        if not all(1.0 <= coordinate <= 2.0 for coordinate in coordinates):  # the secant method has no bounds
            return None
        if self.runs == self._most:
            raise _Ended
        self.runs += 1
        values = [
            variable.low + (at - 1.0) * (variable.high - variable.low)
            for variable, at in zip(self._fitting.variables, coordinates, strict=True)
        ]
        found: Values | None
        try:
            observed = self._observe(values)
            found = [_residual(target, value) for target, value in zip(self._fitting.targets, observed, strict=True)]
        except InvalidPoint:
            found = None
        self._known[coordinates] = found
        if found is not None and (distance := max(abs(residual) for residual in found)) < self.distance:
            self.best, self.seen, self.distance = values, observed, distance
            if distance <= CLOSE:
                raise _Ended
        return found


def _residual(target: Target, value: float) -> float:
    residual = (value - target.value) / target.sigma
    if residual != residual:
        raise InvalidPoint(f"{target.name} is not a number")
    return residual
