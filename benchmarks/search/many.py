"""Many observables in many variables, as a global fit has them: masses, rates, limits and moments at once.

Each depends on a few of the variables, on some of them strongly: linearly, by a product and by a sine; every fourth is
the exponential of that. Every third has a limit, which the point that all means are taken from keeps; the others are
measured.
"""

from __future__ import annotations

import numpy as np

from proposer.types import Floats
from scanspec import Kind, Likelihood

DIM = 20


class Many:
    """`outputs` observables of 20 variables u in the unit cube, the same in every run."""

    def __init__(self, outputs: int, resolution: float) -> None:
        rng = np.random.default_rng(outputs)
        chosen = rng.permuted(np.tile(np.arange(DIM), (outputs, 1)), axis=1)[:, :6]
        self._linear = np.zeros((outputs, DIM))
        np.put_along_axis(self._linear, chosen, rng.normal(size=(outputs, 6)) * [1, 1, 0.6, 0.3, 0.2, 0.1], axis=1)
        self._factors, self._waves = chosen[:, :2], chosen[:, 2]
        self._phases = rng.uniform(0, 2 * np.pi, outputs)
        self.centre = rng.uniform(0.25, 0.75, DIM)
        spread = self(rng.random((4000, DIM))).std(axis=0)
        self.likelihoods = tuple(
            Likelihood(Kind.UPPER, float(mean + width), float(0.3 * width))
            if j % 3 == 2
            else Likelihood(Kind.GAUSS, float(mean), float(width))
            for j, (mean, width) in enumerate(zip(self(self.centre[None])[0], resolution * spread, strict=True))
        )

    def __call__(self, u: Floats) -> Floats:
        """Observables, shape (n, outputs), of points u (n, 20)."""
        x = 2.0 * u - 1.0
        y = x @ self._linear.T + 0.5 * x[:, self._factors[:, 0]] * x[:, self._factors[:, 1]]
        y += 0.3 * np.sin(2.0 * x[:, self._waves] + self._phases)
        exponential = np.arange(y.shape[1]) % 4 == 3
        return np.asarray(np.where(exponential, np.exp(y), y))
