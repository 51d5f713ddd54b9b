"""How a function takes a point: as a mapping, or variable by variable."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from scanspec.arguments import of_a_point, what_it_gets

POINT = {"m0": 1.0, "m12": 2.0, "mh": 125.0}


class Model:
    def __call__(self, m0: float, m12: float) -> object:
        return m0, m12


def takes_a_point(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def inner(point: Mapping[str, float]) -> object:
        return function(point["m0"], point["m12"])

    return inner


def takes_two(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def inner(m0: float, m12: float) -> object:
        return function((m0, m12))

    return inner


def passes_on(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def inner(*args: object, **kwargs: object) -> object:
        return function(*args, **kwargs)

    return inner


class Decorated:
    @passes_on
    def of_values(self, m0: float, m12: float) -> object:
        return m0, m12

    __call__ = of_values


@pytest.mark.parametrize(
    ("function", "gets"),
    [
        (lambda m0, m12: (m0, m12), (1.0, 2.0)),
        (lambda m12, m0: (m12, m0), (2.0, 1.0)),
        (lambda m0: m0, POINT),  # a single argument is the point, whatever its name is
        (lambda m0=3.0: m0, POINT),
        (lambda *, m0: m0, 1.0),
        (lambda m0, /: m0, POINT),
        (lambda m0, scale=3.0: (m0, scale), (1.0, 3.0)),
        (lambda m0, m12=9.0: (m0, m12), (1.0, 2.0)),
        (lambda m0, *, mh: (m0, mh), (1.0, 125.0)),
        (lambda m0, **rest: (m0, rest), (POINT, {})),
        (lambda m0, m12, **rest: (m0, m12, rest), (1.0, 2.0, {})),
        (lambda m12, m0, /: (m12, m0), (2.0, 1.0)),
        (lambda m12, scale=3.0, /, m0=7.0, *, mh: (m12, scale, m0, mh), (2.0, 3.0, 1.0, 125.0)),
        (lambda point, scale=3.0, /: (point["m0"], scale), (1.0, 3.0)),
        (functools.partial(lambda scale, m0: (scale, m0), 3.0), (3.0, POINT)),
        (functools.partial(lambda scale, m0, m12: (scale, m0, m12), 3.0), (3.0, 1.0, 2.0)),
        (Model(), (1.0, 2.0)),
        (lambda point: point, POINT),
        (lambda point, m0=5.0: (point["m0"], m0), (1.0, 5.0)),
        (lambda x, m0=5.0: (x["m0"], m0), (1.0, 5.0)),
        (len, 3),
        (dict, POINT),
        (takes_a_point(lambda m0, m12: (m0, m12)), (1.0, 2.0)),
        (takes_two(lambda point: point), (1.0, 2.0)),
        (passes_on(lambda m0, m12: (m0, m12)), (1.0, 2.0)),
        (passes_on(lambda m12, m0, /: (m12, m0)), (2.0, 1.0)),
        (passes_on(lambda point: point["m0"]), 1.0),
        (passes_on(passes_on(takes_a_point(lambda m0, m12: (m0, m12)))), (1.0, 2.0)),
        (functools.partial(passes_on(lambda scale, m0, m12: (scale, m0, m12)), 3.0), (3.0, 1.0, 2.0)),
        (functools.cache(lambda m0, m12: (m0, m12)), (1.0, 2.0)),
        (Decorated().of_values, (1.0, 2.0)),
        (Decorated(), (1.0, 2.0)),
    ],
)
def test_a_function_gets_a_mapping_or_its_variables(function: Callable[..., Any], gets: object) -> None:
    of_it: Callable[[Mapping[str, float]], Any] = of_a_point(function, POINT)
    assert of_it(POINT) == gets


def test_a_function_with_an_unknown_argument_gets_the_whole_point() -> None:
    function: Callable[..., Any] = lambda m0, mX: m0 * mX  # noqa: E731
    assert of_a_point(function, POINT) is function


class OfThePoint:
    def __call__(self, m0: Mapping[str, float]) -> float:
        return m0["m0"]


@pytest.mark.parametrize("function", [OfThePoint(), functools.partial(lambda scale, m0: m0, 3.0)])
def test_what_a_function_without_a_name_gets(function: Callable[..., Any]) -> None:
    assert "m0 is the point" in what_it_gets(function, POINT)
    assert "`def f(*, m0)`" in what_it_gets(function, POINT)
