"""Polynomial features of the variables, for the residuals of an NLL."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from proposer.types import Floats

MOST_HIGHER = 1000
"""If there were more higher products than this (from 16 inputs on), there are none."""


class Polynomials:
    """Products of Legendre polynomials over [-1, 1]^d.

    The first `plain` features are 1, the variables, all products of two of them, and the Legendre polynomials of degree
    3 and 4 of each variable. The others are the products of three variables, and products of the polynomials of two
    variables, up to a degree of 4 in total.
    """

    def __init__(self, dim: int) -> None:
        one, two, three, four = (range(1 + degree * dim, 1 + (degree + 1) * dim) for degree in range(4))
        pairs = list(combinations(range(dim), 2))
        plain: list[tuple[int, ...]] = [(0,), *((k,) for k in one)]
        plain += [(one[i], one[j]) for i, j in zip(*np.triu_indices(dim), strict=True)]
        plain += [(k,) for k in (*three, *four)]
        powers = ((two, one), (one, two), (three, one), (one, three), (two, two))
        higher: list[tuple[int, ...]] = []
        if len(powers) * len(pairs) + math.comb(dim, 3) <= MOST_HIGHER:
            higher = [(first[i], second[j]) for first, second in powers for i, j in pairs]
            higher += combinations(one, 3)
        self.plain = len(plain)
        every = plain + higher
        # columns of the table in __call__, whose column 0 is 1
        self._factors = np.array([(*columns, 0, 0)[:3] for columns in every], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._factors)

    def __call__(self, x: Floats, used: NDArray[np.bool_] | None = None) -> Floats:
        """The features, shape (n, p), or those that are `used`, shape (p,), of x, shape (n, d)."""
        factors = self._factors if used is None else self._factors[used]
        cubes, fourth = x * (2.5 * x**2 - 1.5), np.zeros_like(x)
        needed = np.isin(1 + 3 * x.shape[1] + np.arange(x.shape[1]), factors)  # fourth powers take most of the time
        fourth[:, needed] = (35.0 * x[:, needed] ** 4 - 30.0 * x[:, needed] ** 2 + 3.0) / 8.0
        table = np.hstack([np.ones((len(x), 1)), x, 1.5 * x**2 - 0.5, cubes, fourth])
        a, b, c = factors.T
        return np.asarray(table.take(a, axis=1) * table.take(b, axis=1) * table.take(c, axis=1))
