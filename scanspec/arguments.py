"""How a function of a user takes a point: as a mapping, or variable by variable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def of_a_point(function: Callable[..., Any], names: Collection[str]) -> Callable[[Mapping[str, float]], Any]:
    """The function as one of a point. If its arguments are named like values of a point, it gets these values; any
    other function gets the point itself. `names`: of the values that a point has.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a function of C
        return function
    named = [parameter.name for parameter in parameters if parameter.kind in _BY_NAME and parameter.name in names]
    needed = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind not in _ANY_NUMBER
    ]
    if not named or not set(needed) <= set(named):
        return function
    return lambda point: function(**{name: point[name] for name in named})
