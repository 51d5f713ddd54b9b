"""Expressions of a scan file: arithmetic on variables and observables, and nothing else.

Only whitelisted syntax is let through (scanspec.expressions), and simpleeval walks it; nothing
reaches Python's own evaluation.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from simpleeval import InvalidExpression, SimpleEval

from evaluator.errors import ConfigurationError
from scanspec.expressions import FUNCTIONS, ExpressionError, parse


def _factorial(n: float) -> float:
    return math.gamma(n + 1)  # overflows above 170, where an exact factorial could take hours


def _sum(*values: float) -> float:
    return sum(values)


def _round(x: float, digits: float | None = None) -> float:
    if digits is None:
        return round(x)
    if not float(digits).is_integer():
        raise TypeError("round takes a whole number of digits")
    # as a float, because for an int 10**digits would be computed
    return round(float(x), int(max(-400, min(400, digits))))


_OWN: dict[str, Any] = {
    "abs": abs,
    "min": min,
    "max": max,
    "sum": _sum,
    "int": int,
    "float": float,
    "round": _round,
    "factorial": _factorial,
}
_FUNCTIONS: dict[str, Any] = {name: _OWN.get(name) or getattr(math, name) for name in FUNCTIONS}
CONSTANTS: dict[str, Any] = {
    "pi": math.pi,
    "tau": math.tau,
    "e": math.e,
    "inf": math.inf,
    "nan": math.nan,
    "True": True,
    "False": False,
}


def _power(base: float, exponent: float) -> float:
    if isinstance(base, int) and abs(exponent) > 64 / max(1, base.bit_length()):
        base = float(base)  # whole numbers would grow without bound
    value: Any = base**exponent
    return math.nan if isinstance(value, complex) else float(value) if not isinstance(value, int) else value


_OPERATORS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.Invert: operator.not_,
}


_NONE: Mapping[str, str] = {}


class Expression:
    """One expression of a scan file.

    `known` are the names that it may use, besides `VARIABLE[i]` (the i-th of `variables` variables in the order of the
    file, from 0), the functions of `math`, and abs, min, max, sum, int, float, round. `others` are the file's other
    names, with the reason why it cannot use them. Raises ConfigurationError, starting with `where`, if the text is not
    an expression or uses another name.
    """

    def __init__(
        self,
        text: str,
        known: Collection[str],
        where: str,
        variables: int,
        others: Mapping[str, str] = _NONE,
    ) -> None:
        self.text = text
        try:
            self._tree = parse(text, known, variables, others)
        except ExpressionError as error:
            raise ConfigurationError(f"{where}: {error}") from None
        self._evaluator = SimpleEval(operators=_OPERATORS, functions=_FUNCTIONS)
        try:
            self(dict.fromkeys(known, 1.0), [1.0] * variables)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None
        except RecursionError:
            raise ConfigurationError(f"{where}: {text!r:.200} has too many levels of brackets or signs") from None

    def __call__(self, names: Mapping[str, float], variables: Sequence[float]) -> float:
        """The value; NaN if there is none (division by zero, square root of a negative number, overflow).

        Raises ConfigurationError for an expression that can never work, for example with a wrong number of arguments.
        """
        self._evaluator.names = {**CONSTANTS, **names, "VARIABLE": variables}
        try:
            value = self._evaluator.eval(self.text, previously_parsed=self._tree)
            if isinstance(value, int) and value.bit_length() > 63:
                value = float(value)
        except (ArithmeticError, ValueError):
            return math.nan
        except (InvalidExpression, TypeError, LookupError) as error:
            raise ConfigurationError(f"{self.text!r} cannot be computed: {error}") from error
        return value  # type: ignore[no-any-return]  # the syntax allows numbers only
