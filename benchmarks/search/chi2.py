"""Problems with an observable that is itself a likelihood of hidden quantities, as Higgs and flavour codes give.

Functions of points u, shape (n, d), in the unit cube to observables, shape (n, m), with their likelihoods.
"""

from __future__ import annotations

import numpy as np

from proposer.types import Floats
from scanspec import Kind, Likelihood

FLAVOUR = (
    Likelihood(Kind.EXPUSER),
    Likelihood(Kind.GAUSS, 17.76, 0.15),
    Likelihood(Kind.GAUSS, 0.66, 0.06),
)
DOUBLETS = (
    Likelihood(Kind.MINUSEXPUSER),
    Likelihood(Kind.GAUSS, 0.03, 0.05),
    Likelihood(Kind.GAUSS, 3.32, 0.12),
    Likelihood(Kind.UPPER, 30.0, 2.0),
)


def flavour(u: Floats) -> Floats:
    """The ln L of seven hidden quantities, with a constant like that of other people's data, and two observables."""
    a, b, c, d, e, f = u.T
    hidden = np.stack(
        [
            np.sin(3.0 * a + b),
            b * c - 0.3 * d,
            np.exp(-2.0 * c) * (a - 0.4 * e),
            d**2 - a * f,
            np.cos(4.0 * e) * c,
            f - b**2,
            a * d - 0.2,
        ],
        axis=1,
    )
    pull = (hidden - [0.93, 0.17, 0.05, -0.03, 0.03, 0.33, -0.06]) / [0.12, 0.05, 0.03, 0.06, 0.1, 0.1, 0.04]
    return np.stack([-142.7 - 0.5 * (pull**2).sum(axis=1), 17.7 + 3.0 * (a - d) + b * f, c + e**2], axis=1)


def two_doublets(u: Floats) -> Floats:
    """Two Higgs doublets: half the chi2 of six hidden signal strengths, the T parameter (a product of differences of
    masses, positive in four fifths of the space), the rate of b -> s gamma, and a limit.
    """
    tan_beta, cos = 10.0 ** (2.0 * u[:, 0] - 0.3), u[:, 1] - 0.5
    heavy, odd, charged = (200.0 * 10.0 ** u[:, j] for j in (2, 3, 4))
    sin = np.sqrt(1.0 - cos**2)
    down, up, lepton = sin - cos * tan_beta, sin + cos / tan_beta, sin - cos * tan_beta * (0.7 + 0.6 * u[:, 6])
    gluon = 1.06 * up**2 - 0.07 * up * down + 0.01 * down**2
    photon = (1.26 * sin - 0.26 * up + 0.3 * (u[:, 5] - 0.5) * (300.0 / charged) ** 2) ** 2
    width = 0.58 * down**2 + 0.24 * sin**2 + 0.06 * lepton**2 + 0.09 * gluon + 0.03
    pairs = [(gluon, photon), (gluon, sin**2), (sin**2, down**2), (sin**2, lepton**2), (gluon, lepton**2)]
    strengths = np.stack([one * other / width for one, other in [*pairs, (up**2, down**2)]], axis=1)
    pull = (strengths - [1.08, 1.0, 0.98, 1.1, 0.95, 0.9]) / [0.07, 0.07, 0.12, 0.12, 0.1, 0.2]
    oblique = 2e-5 * heavy * charged * np.log(heavy / charged) ** 2 + (odd - charged) * (heavy - charged) / 3e4
    loop = 6e4 * (1.0 + 0.3 / tan_beta**2) / charged**2 * (1.0 - 0.3 * u[:, 5])
    rate = 3.4 - loop + 0.02 * tan_beta * (u[:, 6] - 0.5)
    return np.stack([0.5 * (pull**2).sum(axis=1), oblique, rate, tan_beta * u[:, 6]], axis=1)
