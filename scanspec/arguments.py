"""Calls a user's function with a point: as one mapping, or with one argument per variable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from scanspec.raised import shown

_ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def of_a_point(function: Callable[..., Any], names: Collection[str]) -> Callable[[Mapping[str, float]], Any]:
    """A function of a point that calls the user's `function`. `names` are the names of a point's values.

    A function of one argument gets the point itself, whatever the argument's name. A function of several arguments, or
    of keyword-only arguments, gets the values with the names of its arguments. If an argument without a default does
    not have the name of a value, the function gets the point.
    """
    try:
        parameters = signature_of(function).parameters.values()
    except (TypeError, ValueError):  # a function written in C
        return function
    arguments = [parameter for parameter in parameters if parameter.kind not in _ANY_NUMBER]
    named = [argument for argument in arguments if argument.name in names]
    takes_the_point = len(arguments) == 1 and arguments[0].kind is not inspect.Parameter.KEYWORD_ONLY
    if takes_the_point or not named or any(_is_needed(argument) for argument in arguments if argument not in named):
        return function
    by_place = [argument for argument in arguments if argument.kind is inspect.Parameter.POSITIONAL_ONLY]
    by_name = [argument.name for argument in named if argument not in by_place]

    def of_values(point: Mapping[str, float]) -> Any:
        values = [point[argument.name] if argument in named else argument.default for argument in by_place]
        return function(*values, **{name: point[name] for name in by_name})

    return of_values


def why_not_called(function: object, names: Collection[str]) -> str:
    """The reason, in words, why `function` can never be called with a point; empty if it can, as far as is visible."""
    if not callable(function):
        return f"{shown(function)} is not a function"
    if of_a_point(function, names) is not function:
        return ""
    try:
        signature = signature_of(function)
    except (TypeError, ValueError):  # a function written in C
        return ""
    try:
        signature.bind({})
    except TypeError:
        needs = [name for name, argument in signature.parameters.items() if argument.default is argument.empty]
        return f"it takes {', '.join(needs) or 'no arguments'}, but the variables are {', '.join(names)}"
    return ""


def what_it_gets(function: Callable[..., Any], names: Collection[str]) -> str:
    """A sentence that says whether a function gets the point or single values, for an error in it. It is empty if no
    argument is named like a value, because then nobody takes one for the other.
    """
    try:
        arguments = [name for name in signature_of(function).parameters if name in names]
    except (TypeError, ValueError):
        return ""
    if not arguments:
        return ""
    first = arguments[0]
    if of_a_point(function, names) is function:
        name = getattr(function, "__name__", "f")  # a partial or an object with __call__ has none
        value = f"write {first}[{first!r}], or `def {name}(*, {first})` to get the value itself"
        return f"{first} is the point with all values here: {value}"
    return f"{', '.join(arguments)} {'is a number' if len(arguments) == 1 else 'are numbers'} here, and not the point"


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The signature with which a function is called.

    A decorated function has the signature of the decorator's wrapper, unless the wrapper takes any arguments and so
    passes them on. Raises ValueError for a function written in C that has no signature, and TypeError for an object
    that is not a function.
    """
    own = None
    try:
        own = inspect.signature(function, follow_wrapped=False)
    except ValueError:  # functools.cache, for example, is written in C
        if not hasattr(function, "__wrapped__"):
            raise
    if own is not None and {parameter.kind for parameter in own.parameters.values()} != set(_ANY_NUMBER):
        return own
    # the __wrapped__ of a method is a function that also takes `self`
    if hasattr(function, "__wrapped__") and not inspect.ismethod(function):
        return signature_of(function.__wrapped__)
    return inspect.signature(function)


def _is_needed(argument: inspect.Parameter) -> bool:
    return argument.default is argument.empty
