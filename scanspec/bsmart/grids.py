"""Translates grids of BSMArt's type `Grid`, Python texts such as "np.linspace(0, 1, 11)", into plain variables."""

from __future__ import annotations

import ast
import math
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from scanspec.document import Section
from scanspec.variables import MOST_VALUES, PriorKind, repeated

_LOG = {"prior": PriorKind.LOG_UNIFORM.value}
_NUMPY: dict[str, dict[str, str]] = {"linspace": {}, "arange": {}, "geomspace": _LOG, "logspace": _LOG}

_A_GRID = (
    "a mapping, [low, high], a number, or np.linspace(low, high, steps) (geomspace, logspace, arange), "
    "np.array([a, b, c]), range(start, stop, step)"
)


Plain = tuple[Any, str]
"""A plain variable, and its kind in words."""


def read_grid(section: Section, name: str, text: str) -> Plain:
    """The variable with the values that numpy or Python would give. Nothing is run. Raises ScanFileError.

    A list of numbers is a choice among them, range(a, b) is a range of whole numbers, and everything else is a range
    with steps.
    """
    tree = _parse(text)
    function, arguments, keywords = _call(tree)
    if function in ("np.array", "numpy.array", "list") and len(arguments) == 1 and not keywords:
        (tree,) = arguments
        function, arguments, keywords = _call(tree)
    if isinstance(tree, (ast.List, ast.Tuple)):
        return _choice(section, name, _numbers(tree.elts))
    if function == "range" and not keywords:
        return _whole_numbers(section, name, _numbers(arguments))
    module, _, function = function.rpartition(".")
    if module not in ("np", "numpy") or function not in _NUMPY:
        raise section.wrong(name, _A_GRID)
    numbers = _numbers([*arguments, *(keyword.value for keyword in keywords)])
    by_name = [keyword.arg for keyword in keywords]
    if numbers is None or by_name and (by_name != ["num"] or len(arguments) != 2 or function == "arange"):
        raise section.wrong(name, _A_GRID)
    if len(numbers) == 2:
        numbers.append(1.0 if function == "arange" else 50.0)  # what numpy takes
    if len(numbers) != 3:
        raise section.wrong(name, _A_GRID)
    return _of_numpy(section, name, function, numbers)


def _of_numpy(section: Section, name: str, function: str, numbers: list[float]) -> Plain:
    first, last, third = numbers
    if function == "arange":
        ahead = (last - first) / third if third else 0.0
        steps = float(max(0, math.ceil(ahead - 1e-9)) if math.isfinite(ahead) else 0)
        last = first + third * (steps - 1.0)
    elif function == "logspace":
        steps = third
        first, last = (10.0**exponent if abs(exponent) < 308 else math.inf for exponent in (first, last))
    else:
        steps = third
    if not (math.isfinite(first) and math.isfinite(last)) or steps < 1 or steps != int(steps):
        raise section.wrong(name, "a grid of finite numbers with at least one step")
    if steps == 1:
        last = first
    found = {"range": [min(first, last), max(first, last)]}
    return _plain(found | _NUMPY[function] | {"steps": int(steps)}), "a range with steps"


def _whole_numbers(section: Section, name: str, numbers: list[float] | None) -> Plain:
    if (
        numbers is None
        or not all(number.is_integer() and abs(number) < 2**53 for number in numbers)
        or len(numbers) > 3
    ):
        raise section.wrong(name, "range(stop), range(start, stop) or range(start, stop, step) of whole numbers")
    if not numbers or numbers[2:] == [0.0]:
        raise section.wrong(name, "range(stop), range(start, stop) or range(start, stop, step), with a step")
    found = range(*(int(number) for number in numbers))
    if len(found) < 2 or abs(found.step) != 1:
        return _choice(section, name, [float(number) for number in found[: MOST_VALUES + 1]])
    if len(found) > 10**9:
        raise section.wrong(name, "whole numbers at most 10^9 apart")
    ends = [min(found[0], found[-1]), max(found[0], found[-1])]
    return _plain({"range": ends, "type": "integer"}), "a range of whole numbers"


def _choice(section: Section, name: str, values: list[float] | None) -> Plain:
    if not values or not all(math.isfinite(value) for value in values) or len(values) > MOST_VALUES:
        raise section.wrong(name, f"a grid of finite numbers, at least one and at most {MOST_VALUES:,}")
    if (twice := repeated(values)) is not None:
        raise section.error(f"{name}: {twice:g} is there twice; name each value once", name)
    if len(values) == 1:
        return _plain({"range": values * 2}), "a range"
    return _plain({"values": values}), "a choice among values"


def _plain(content: dict[str, Any]) -> CommentedMap:
    lists = {key: CommentedSeq(value) if isinstance(value, list) else value for key, value in content.items()}
    return CommentedMap(lists)


def _parse(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _call(tree: ast.expr | None) -> tuple[str, list[ast.expr], list[ast.keyword]]:
    """The function of a call, such as "range" or "np.array", with its arguments; "" for anything else."""
    if not isinstance(tree, ast.Call):
        return "", [], []
    called = tree.func
    if isinstance(called, ast.Name):
        return called.id, tree.args, tree.keywords
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return f"{called.value.id}.{called.attr}", tree.args, tree.keywords
    return "", [], []


def _numbers(trees: list[ast.expr]) -> list[float] | None:
    """The values of literal numbers; None if anything else is among them."""
    try:
        return [float(ast.literal_eval(tree)) for tree in trees]
    except (ValueError, TypeError, OverflowError):
        return None
