"""How a function takes a point: as a mapping, or variable by variable."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from scanspec.arguments import of_a_point

POINT = {"m0": 1.0, "m12": 2.0, "mh": 125.0}


class Model:
    def __call__(self, m0: float, m12: float) -> object:
        return m0, m12


@pytest.mark.parametrize(
    ("function", "gets"),
    [
        (lambda m0, m12: (m0, m12), (1.0, 2.0)),
        (lambda m12, m0: (m12, m0), (2.0, 1.0)),
        (lambda m0: m0, 1.0),
        (lambda m0, scale=3.0: (m0, scale), (1.0, 3.0)),
        (lambda m0, m12=9.0: (m0, m12), (1.0, 2.0)),
        (lambda m0, *, mh: (m0, mh), (1.0, 125.0)),
        (lambda m0, **rest: (m0, rest), (1.0, {})),
        (functools.partial(lambda scale, m0: (scale, m0), 3.0), (3.0, 1.0)),
        (Model(), (1.0, 2.0)),
        (lambda point: point, POINT),
        (lambda point, m0=5.0: (point["m0"], m0), (1.0, 5.0)),
        (lambda x, m0=5.0: (x["m0"], m0), (1.0, 5.0)),
        (len, 3),
        (dict, POINT),
    ],
)
def test_what_a_function_gets(function: Callable[..., Any], gets: object) -> None:
    of_it: Callable[[Mapping[str, float]], Any] = of_a_point(function, POINT)
    assert of_it(POINT) == gets


def test_a_name_that_is_no_variable_is_left_to_the_point() -> None:
    function: Callable[..., Any] = lambda m0, mX: m0 * mX  # noqa: E731
    assert of_a_point(function, POINT) is function
