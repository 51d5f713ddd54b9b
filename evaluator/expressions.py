"""Expressions of a scan file: arithmetic on variables and observables, and nothing else.

simpleeval walks a whitelist of syntax; nothing reaches Python's own evaluation.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from simpleeval import DEFAULT_OPERATORS, InvalidExpression, SimpleEval

from evaluator.errors import ConfigurationError
from scanspec.document import closest

FUNCTIONS: dict[str, Any] = {
    **{name: value for name, value in vars(math).items() if callable(value) and not name.startswith("_")},
    **{"abs": abs, "min": min, "max": max, "int": int, "float": float, "round": round},
}
CONSTANTS: dict[str, Any] = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "True": True, "False": False}


def _power(base: float, exponent: float) -> float:
    # simpleeval's own limit on powers (4e6) is below the masses of the field
    return base**exponent if isinstance(base, float) or abs(exponent) <= 64 else float(base) ** exponent


_OPERATORS = {
    **DEFAULT_OPERATORS,
    ast.Pow: _power,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.Invert: operator.not_,
}


class Expression:
    """One expression of a scan file.

    `known` are the names that it may use beside `VARIABLE[i]` (the i-th variable in the
    order of the file, from 0), the functions of `math`, and abs, min, max, int, float, round.
    Raises ConfigurationError, starting with `where`, when it is no expression or uses another name.
    """

    def __init__(self, text: str, known: Collection[str], where: str) -> None:
        self.text = text
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            raise ConfigurationError(f"{where}: {text!r} is not an expression that can be read") from None
        tree = _WithoutMathPrefix().visit(tree)
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name):
                continue
            if id(node) in called:
                if node.id not in FUNCTIONS:
                    raise ConfigurationError(f"{where}: {text!r} uses an unknown function{closest(node.id, FUNCTIONS)}")
            elif node.id not in known and node.id not in CONSTANTS and node.id != "VARIABLE":
                raise ConfigurationError(
                    f"{where}: {text!r} uses {node.id!r}, which is no variable, derived variable or earlier "
                    f"observable{closest(node.id, known)}"
                )
        self._tree = tree
        self._evaluator = SimpleEval(operators=_OPERATORS, functions=FUNCTIONS)

    def __call__(self, names: Mapping[str, float], variables: Sequence[float]) -> Any:
        """The value; NaN where it has none (division by zero, square root of a negative number, overflow).

        Raises ConfigurationError for what can never work, such as a wrong number of arguments.
        """
        self._evaluator.names = {**CONSTANTS, **names, "VARIABLE": variables}
        try:
            value = self._evaluator.eval(self.text, previously_parsed=self._tree)
        except (ArithmeticError, ValueError):
            return math.nan
        except (InvalidExpression, TypeError, LookupError) as error:
            raise ConfigurationError(f"{self.text!r} cannot be computed: {error}") from error
        return math.nan if isinstance(value, complex) else value


class _WithoutMathPrefix(ast.NodeTransformer):
    """math.sqrt(x) and sqrt(x) are the same."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id == "math":
            return ast.copy_location(ast.Name(node.attr, ast.Load()), node)
        return self.generic_visit(node)
