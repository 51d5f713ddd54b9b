"""Calls a user's function for some points, in a worker process of `processes`."""

from __future__ import annotations

import functools
import math
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, NamedTuple

import cloudpickle

from scanspec.arguments import of_a_point
from scanspec.raised import printable, returned, shown, what_was_raised, words_of

NOT_PHYSICAL = "InvalidPoint"
"""The name of the evaluator's exception; the two sides do not import each other."""


class Answer(NamedTuple):
    """The answer to one point. `observables` is None if the point is unphysical or failed; `error` says why it failed,
    `message` why it is unphysical. `begun` is the time at which it began, in seconds since 1970, and `seconds` the wall
    time.
    """

    observables: list[float] | None
    error: str
    message: str
    begun: float
    seconds: float


@contextmanager
def children_without_interrupts() -> Iterator[None]:
    """A context whose new processes do not notice Ctrl-C while they load: they would print a traceback each."""
    resource_tracker.ensure_running()  # its start would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start() -> None:
    """Ignores Ctrl-C, because the scan ends its workers itself. Programs that a function starts ignore it, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def compute(
    code: bytes, variables: Sequence[str], observables: Sequence[str], rows: Sequence[Sequence[float]]
) -> list[Answer]:
    """Calls the function for rows of values of the variables. `code` is the function as this scan has pickled it; a
    pickle from another source could run anything.
    """
    function = of_a_point(_load(code), variables)
    return [_answer(function, dict(zip(variables, row, strict=True)), observables) for row in rows]


@functools.lru_cache(maxsize=2)
def _load(code: bytes) -> Callable[..., Any]:
    try:
        function: Callable[..., Any] = cloudpickle.loads(code)
    except SystemExit as error:  # raised while a module is imported; it would end the scan
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
        return None, f"the function must return a mapping of observables, or None, but returned {returned(found)}"
    values = []
    for name in names:
        if name not in found:
            return None, f"the function returned no {name!r}; it returned {', '.join(map(str, found)) or 'nothing'}"
        try:
            value = float(found[name])
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if not math.isfinite(value):
            return None, f"{name} is {shown(found[name])}, which is not a finite number{_shape_of(found[name])}"
        values.append(value)
    return values, ""


def _shape_of(value: object) -> str:
    shape = getattr(value, "shape", ())
    return f", but an array of shape {shape}: return one of its values" if shape else ""


def _line_of(error: BaseException) -> str:
    lines = traceback.extract_tb(error.__traceback__)[1:]  # without the line of this module
    return f" ({lines[-1].filename}, line {lines[-1].lineno})" if lines else ""
