"""Chooses the scale of observables that have either sign: linear, or a logarithm of both signs around the target.

An amplitude, a dipole moment, or a difference of large terms has either sign, and may span many decades on both sides
of a narrow target. On a linear scale, no process resolves the target. On a logarithmic one, a smooth observable gets a
step at the target. So both scales are compared by the marginal likelihoods of the same values (E. Snelson et al.,
Warped Gaussian Processes, NIPS 2003). A rule by the spread of the values alone failed: the distances of an electric
dipole moment from its target spanned 2.9 decades at the first fit, and the rule demanded 3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.process import Processes
from proposer.types import Floats

WIDE, RESOLVED = 300.0, 10.0
"""The logarithm is tried if the linear scale is wider than WIDE sigmas. It resolves RESOLVED sigmas. With WIDE = 30,
a problem with two moments had 87 and 65 good points after 300 evaluations (two seeds) instead of 76 and 107. Marginal
likelihoods of still other widths preferred wider ones, which found half as many good points: only values close to the
target matter, and few of the first points are there.
"""
DECADES = 1.8
"""It is tried if the central 90 % of the distances from the mean span this many decades. Those of a uniform value span
1.3, those of a normal one 1.5.
"""
WORTH = 3.0
"""The logarithm must raise the logarithm of the marginal likelihood by WORTH."""
FROM = 100
"""The largest number of points for the comparison."""


def around_targets(coding: Coding, values: Processes, x: Floats, y: Floats, aims: Floats) -> Coding:
    """The coding of observables y, shape (n, k), at inputs x, shape (n, d), with logarithms around the means where they
    are better. `values` has the length scales for `coding`, and gets those for a new scale. A logarithm stays one.

    `aims`, shape (2, k), are mean and sigma of Gaussian likelihoods, else NaN.
    """
    rows = np.unique(np.linspace(0, len(x) - 1, FROM).astype(int))
    for j in np.flatnonzero(_of_either_sign(coding, y, aims)).tolist():
        mean, sigma = aims[:, j].tolist()
        other = coding.around(j, mean, RESOLVED * sigma, y)
        linear, logarithm = values.only(j), Processes(x.shape[1], 1)
        worth = evidence(logarithm, other, j, x[rows], y[rows]) - evidence(linear, coding, j, x[rows], y[rows])
        if worth > WORTH:
            values.take(j, logarithm)
            coding = other
    return coding


def _of_either_sign(coding: Coding, y: Floats, aims: Floats) -> NDArray[np.bool_]:
    """Whether a logarithm around the mean may be better, shape (k,): values are on both sides, and span decades."""
    mean, sigma = aims
    with np.errstate(invalid="ignore"):
        low, high = np.quantile(np.abs(y - mean), [0.05, 0.95], axis=0)
        some = (coding.floor + coding.root + coding.square == 0.0) & (coding.width > WIDE * sigma)
        some &= high > 10.0**DECADES * np.maximum(low, sigma / RESOLVED)
        return np.asarray(some & (y.min(axis=0) < mean) & (y.max(axis=0) > mean))


def evidence(process: Processes, coding: Coding, j: int, x: Floats, y: Floats) -> float:
    """The logarithm of the marginal likelihood of observable j, after `process`, of this output alone, has learned."""
    t = coding.encode(y)[:, j : j + 1]
    process.learn(x, t, np.random.default_rng(0))  # the order of the points does not matter
    return float(process.evidence(x, t)[0] + coding.log_slope(y)[:, j].sum())
