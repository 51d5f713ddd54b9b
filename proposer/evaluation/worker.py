"""What a worker process does for `processes`: calls a user's function for some points."""

from __future__ import annotations

import functools
import math
import signal
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import cloudpickle

from scanspec.arguments import of_a_point
from scanspec.raised import printable, shown, what_was_raised, words_of

NOT_PHYSICAL = "InvalidPoint"
"""The exception of the evaluator's package, by its name: the two sides import nothing of each other."""


class Answer(NamedTuple):
    """Of one point: its observables, None where it is unphysical or `error` says why there are none; when it began, in
    seconds since 1970, and how many seconds it took.
    """

    observables: list[float] | None
    error: str
    message: str
    begun: float
    seconds: float


def start() -> None:
    """Ctrl-C is for the scan, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def compute(
    code: bytes, variables: Sequence[str], observables: Sequence[str], rows: Sequence[Sequence[float]]
) -> list[Answer]:
    """What the function gives for rows of values of the variables. `code`: the function as its scan has pickled it;
    a pickle from elsewhere could run anything.
    """
    function = of_a_point(_load(code), variables)
    return [_answer(function, dict(zip(variables, row, strict=True)), observables) for row in rows]


@functools.lru_cache(maxsize=2)
def _load(code: bytes) -> Callable[..., Any]:
    try:
        function: Callable[..., Any] = cloudpickle.loads(code)
    except SystemExit as error:  # of a module that it needs; it would end the scan
        raise ImportError(what_was_raised(error)) from None
    return function


def _answer(function: Callable[[Mapping[str, float]], Any], point: dict[str, float], names: Sequence[str]) -> Answer:
    begun, start = time.time(), time.perf_counter()
    found, error, message = None, "", ""
    try:
        found, error = _read(function(point), names)
    except BaseException as raised:  # noqa: BLE001  # a user's function may raise anything; Ctrl-C does not come here
        if any(kind.__name__ == NOT_PHYSICAL for kind in type(raised).__mro__):
            message = words_of(raised)
        else:
            error = f"{what_was_raised(raised)}{_line_of(raised)}"
    return Answer(found, printable(error), printable(message), begun, time.perf_counter() - start)


def _read(found: object, names: Sequence[str]) -> tuple[list[float] | None, str]:
    if found is None:
        return None, ""
    if not isinstance(found, Mapping):
        return None, f"the function must return a mapping of observables, or None, but returned {shown(found)}"
    values = []
    for name in names:
        if name not in found:
            return None, f"the function returned no {name!r}; it returned {', '.join(map(str, found)) or 'nothing'}"
        try:
            value = float(found[name])
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            return None, f"{name} is {shown(found[name])}, which is not a finite number"
        values.append(value)
    return values, ""


def _line_of(error: BaseException) -> str:
    lines = traceback.extract_tb(error.__traceback__)[1:]  # of the user's own code
    return f" ({lines[-1].filename}, line {lines[-1].lineno})" if lines else ""
