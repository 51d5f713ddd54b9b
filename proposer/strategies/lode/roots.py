"""Finds the sign of the root of an observable: of the amplitude, if the observable is its square.

A limit on a rate, such as that of a forbidden decay, selects points where the amplitude nearly vanishes. The amplitude
is smooth there, and often close to linear, but the rate is known only as its square. So a sign is wanted for the root
at each point with which the roots become smooth. The roots with signs must be a polynomial, and their absolute values
must be the known ones. These two conditions are met in turn by relaxed averaged alternating reflections (D. Luke,
Inverse Problems 21 (2005) 37), which solve the phase problem of optics in the same way. If masses let an amplitude span
decades, the roots divided by a power law are closer to a polynomial. In the end, a process corrects signs near zeros.
"""

from __future__ import annotations

import math
from itertools import combinations_with_replacement

import numpy as np

from proposer.strategies.lode.process import Processes
from proposer.types import Floats

DEGREES, MOST_TERMS, LEAST_POINTS = (1, 2, 3, 4), 200, 3
"""The degrees of the polynomials, the largest number of their terms, and the least number of points for each term. The
degree with the lowest generalised cross-validation is used. With two points for each term, any signs fit: a degree that
had just become possible won, and only 60 % of the signs were right instead of 90 %.
"""
STARTS, REFLECTIONS, PROJECTIONS = 32, 60, 20
RELAXED, RIDGE = 0.8, 1e-2
"""The relaxation of the reflections, and the prior of a coefficient relative to the weight of one point."""
CORRECTIONS = 6
"""The largest number of corrections by the process, each from its predictions of all points from the others."""


def signs(x: Floats, root: Floats, rng: np.random.Generator) -> Floats:
    """The signs, 1 or -1, shape (n,), of roots, shape (n,), at variables x, shape (n, d), with which they are closest
    to a polynomial.
    """
    best, lowest = np.ones(len(root)), np.inf
    starts = _sign(rng.standard_normal((len(x), STARTS)))
    for of in (root, root / _envelope(x, root)):
        scaled = of[:, None] / (np.sqrt(np.square(of).mean()) + 1e-300)
        for degree in DEGREES:
            if math.comb(x.shape[1] + degree, degree) > min(len(x) // LEAST_POINTS, MOST_TERMS):
                break
            found, error = _reflected(_products(x, degree), scaled, scaled * starts)
            if error.min() < lowest:
                best, lowest = found[:, error.argmin()], float(error.min())
    return best


def _envelope(x: Floats, root: Floats) -> Floats:
    """The exponential of a linear fit of the logarithms, shape (n,): a power law of masses and couplings."""
    terms = _products(x, 1)
    logarithm = np.log(np.maximum(root, 1e-6 * root.max() + 1e-300))
    return np.asarray(np.exp(terms @ np.linalg.lstsq(terms, logarithm, rcond=None)[0]))


def corrected(found: Floats, x: Floats, root: Floats, process: Processes) -> Floats:
    """The signs `found`, shape (n,), after corrections by the length scales of `process`, of this output alone. It has
    the inputs x, shape (n, m).
    """
    for _ in range(CORRECTIONS):
        process.condition(x, (found * root)[:, None])
        better = _sign(found * root - process.left_out(0))
        if np.array_equal(better, found):
            break
        found = better
    return found


def _reflected(terms: Floats, root: Floats, starts: Floats) -> tuple[Floats, Floats]:
    """Signs, shape (n, starts), and the generalised cross-validation of each start, shape (starts,). `terms`: shape (n,
    m). `root`: shape (n, 1).
    """
    n, m = terms.shape
    basis = np.linalg.qr(np.concatenate([terms, RIDGE * np.sqrt(n) * np.eye(m)]))[0][:n]
    now = starts
    for _ in range(REFLECTIONS):
        smooth = basis @ (basis.T @ now)
        reflected = 2.0 * smooth - now
        both = 2.0 * root * _sign(reflected) - reflected
        now = 0.5 * RELAXED * (both + now) + (1.0 - RELAXED) * smooth
    found = _sign(basis @ (basis.T @ now))
    for _ in range(PROJECTIONS):
        found = _sign(basis @ (basis.T @ (root * found)))
    off = np.abs(basis @ (basis.T @ (root * found))) - root
    return found, np.square(off).mean(axis=0) / (1.0 - np.square(basis).sum() / n) ** 2


def _products(x: Floats, degree: int) -> Floats:
    """All products of `degree` of the numbers 1 and x, shape (n, d): the terms of a polynomial, shape (n, m)."""
    one = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    chosen = combinations_with_replacement(range(one.shape[1]), degree)
    return np.stack([one[:, list(which)].prod(axis=1) for which in chosen], axis=1)


def _sign(values: Floats) -> Floats:
    return np.where(values < 0.0, -1.0, 1.0)
