"""What a worker process does for `processes`: calls a user's function for some points."""

from __future__ import annotations

import functools
import math
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import cloudpickle

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
) -> tuple[int, list[Answer]]:
    """This process and what the pickled function gives for rows of values of the variables."""
    function = _load(code)
    return os.getpid(), [_answer(function, dict(zip(variables, row, strict=True)), observables) for row in rows]


@functools.lru_cache(maxsize=2)
def _load(code: bytes) -> Callable[[dict[str, float]], Any]:
    function: Callable[[dict[str, float]], Any] = cloudpickle.loads(code)
    return function


def _answer(function: Callable[[dict[str, float]], Any], point: dict[str, float], names: Sequence[str]) -> Answer:
    begun, start = time.time(), time.perf_counter()
    found, error, message = None, "", ""
    try:
        found, error = _read(function(point), names)
    except Exception as raised:  # noqa: BLE001  # a user's function may raise anything
        if type(raised).__name__ == NOT_PHYSICAL:
            message = str(raised)
        else:
            error = f"{type(raised).__name__}: {raised}{_line_of(raised)}"
    return Answer(found, error, message, begun, time.perf_counter() - start)


def _read(found: object, names: Sequence[str]) -> tuple[list[float] | None, str]:
    if found is None:
        return None, ""
    if not isinstance(found, Mapping):
        return None, f"the function must return a mapping of observables, or None, but returned {found!r:.100}"
    values = []
    for name in names:
        if name not in found:
            return None, f"the function returned no {name!r}; it returned {', '.join(map(str, found)) or 'nothing'}"
        try:
            value = float(found[name])
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            return None, f"{name} is {found[name]!r:.100}, which is not a finite number"
        values.append(value)
    return values, ""


def _line_of(error: BaseException) -> str:
    lines = traceback.extract_tb(error.__traceback__)[1:]  # of the user's own code
    return f" ({lines[-1].filename}, line {lines[-1].lineno})" if lines else ""
