"""Chooses whether the process of an observable learns what plane waves leave (`waves.py`), and on which scale.

The square of an amplitude that oscillates is a sum of few plane waves, but its logarithm is not. On the scale of most
observables, large values count less, and what was a sum of waves is none. So waves are looked for on linear scales.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from proposer.strategies.lode.coding import Coding
from proposer.strategies.lode.process import Processes
from proposer.strategies.lode.waves import find
from proposer.types import Floats

WORTH = 12.0
"""Waves must raise the logarithm of the marginal likelihood by WORTH, besides what their numbers cost."""
FROM, OUTPUTS = 250, 3
"""The largest number of points for the comparison, and of outputs at a time, because each takes up to half a second."""


def with_waves(
    coding: Coding,
    values: Processes,
    x: Floats,
    y: Floats,
    which: NDArray[np.bool_],
    *,
    variables: int,
    rng: np.random.Generator,
) -> Coding | None:
    """Looks for waves of some of the outputs `which`, shape (k,), of observables y, shape (n, k), in the first
    `variables` inputs x, shape (n, d). Returns the transformation with linear scales for the outputs that got new
    waves; None if none did. The processes `values`, which have learned with `coding`, take the waves over.
    """
    if not which.any():
        return None
    rows, before = rng.choice(len(x), size=min(len(x), FROM), replace=False), coding
    for j in rng.permutation(np.flatnonzero(which))[:OUTPUTS].tolist():
        present, some = coding, (j, x[rows], y[rows])
        best = _evidence(values.only(j), present, *some) + WORTH
        least = _error(values.only(j), present, present, *some)
        for plain in (coding, coding.without_logarithm(j, y)) if coding.floor[j] > 0.0 else (coding,):
            linear = plain.linear(j, y)
            t = linear.encode(y)[:, j : j + 1]
            if (waves := find(x[:, :variables], t[:, 0])) is None:
                continue
            process = Processes.with_waves(waves, x, t, rng)
            value, error = _evidence(process, linear, *some), _error(process, linear, present, *some)
            if value > best and error < least:
                best, least, coding = value, error, linear
                values.take(j, process)
    return None if coding is before else coding


def _evidence(process: Processes, coding: Coding, j: int, x: Floats, y: Floats) -> float:
    """The logarithm of the marginal likelihood of observable j, by a process of this output alone, less what the
    numbers of its waves cost (G. Schwarz, Ann. Statist. 6 (1978) 461).
    """
    numbers = sum(waves.numbers for waves in process.waves.values())
    evidence = process.evidence(x, coding.encode(y)[:, j : j + 1])[0] + coding.log_slope(y)[:, j].sum()
    return float(evidence - 0.5 * numbers * math.log(len(x)))


def _error(process: Processes, coding: Coding, present: Coding, j: int, x: Floats, y: Floats) -> float:
    """The mean square error of observable j on its present scale, if each point is predicted from the others. A linear
    scale may have the larger likelihood because of a few large values, and resolve the small ones badly.
    """
    t = coding.encode(y)[:, j]
    process.condition(x, t[:, None])
    predicted = coding.replaced(j, t - process.left_out(0), y)
    return float(np.square(present.encode(predicted) - present.encode(y))[:, j].mean())
