"""Problems with features that smooth ones lack: resonances, closed channels, sentinels, signs, steps, many modes.

Functions of points u, shape (n, d), in the unit cube to observables, shape (n, m), NaN where nothing was computed.
"""

from __future__ import annotations

import math

import numpy as np

from proposer.types import Floats


def singlet(u: Floats) -> Floats:
    """A scalar singlet and the Higgs: relic density, direct detection over its limit, invisible branching ratio.

    Mass 10 to 10^4 GeV and coupling 10^-6 to 1 are logarithmic. Good is the thin resonance at half of the Higgs mass; a
    wide valley ends in a heavy corner that direct detection excludes (lowest NLL 6.4).
    """
    m, c, higgs, gamma = 10.0 ** (1.0 + 3.0 * u[:, 0]), 10.0 ** (-6.0 + 6.0 * u[:, 1]), 125.0, 0.03
    open_ = np.sqrt(np.maximum(1.0 - 4.0 * m**2 / higgs**2, 0.0))
    invisible = c**2 * 246.0**2 / (32.0 * np.pi * higgs) * open_
    s = 4.2 * m**2
    width = np.where(s < 160.0**2, gamma * np.sqrt(s) / higgs, 0.5 * s**1.5 * 1e-6)
    pole = (s - higgs**2) ** 2 + higgs**2 * (gamma + invisible) ** 2
    rate = 2.0 * c**2 * 246.0**2 / np.sqrt(s) * width / pole + np.where(m > higgs, c**2 / (16.0 * np.pi * m**2), 0.0)
    return np.stack([2.64e-10 / rate, 3.0 * c**2 / (m / 3700.0) ** 3, invisible / (gamma + invisible)], axis=1)


def mediator(u: Floats) -> Floats:
    """A fermion and a vector mediator, masses and coupling logarithmic: relic density, direct and collider limits.

    Good is the resonance at twice the fermion's mass; off it the lowest NLL is 5, for the heaviest mediators.
    """
    m, heavy, g = 10.0 ** (1.0 + 3.0 * u[:, 0]), 10.0 ** (2.0 + 2.3 * u[:, 1]), 10.0 ** (-4.0 + 4.5 * u[:, 2])
    rate = g**4 * m**2 / ((4.0 * m**2 - heavy**2) ** 2 + (0.01 * heavy**2) ** 2)
    direct = 1e13 * (g / heavy) ** 4 / (1.0 + m / 1000.0)
    return np.stack([7.92e-10 / rate, direct, g / (0.02 + (heavy / 20000.0) ** 2)], axis=1)


def coannihilation(u: Floats) -> Floats:
    """Coannihilation with a heavier partner, and a funnel: the relic density and a limit; INVALID where the partner is
    the lighter one."""
    m, partner, heavy = 50.0 * 40.0 ** u[:, 0], 50.0 * 40.0 ** u[:, 1], 100.0 * 40.0 ** u[:, 2]
    g, tan_beta = 0.02 * 50.0 ** u[:, 3], 1.0 + 59.0 * u[:, 4]
    strip = 0.05 * np.exp(np.minimum(-40.0 * (partner - m) / m, 50.0)) / m**2
    funnel = g**2 * (tan_beta / 30.0) ** 2 * m**2 / ((4.0 * m**2 - heavy**2) ** 2 + (0.03 * heavy**2) ** 2)
    relic = 4.8e-9 / (g**4 / m**2 + strip + funnel)
    limit = (g / 0.1) ** 2 * (tan_beta / 10.0) * (500.0 / heavy) ** 2
    valid = partner >= m
    return np.stack([partner - m, np.where(valid, relic, np.nan), np.where(valid, limit, np.nan)], axis=1)


def closed_channel(u: Floats) -> Floats:
    """A mass, and a branching ratio that is exactly 0 in 99 % of the space, where its channel is closed."""
    a, b, c, d = u.T
    phase = np.maximum(0.04 * (1.0 + c) - a - 0.3 * b, 0.0)
    return np.stack([phase**1.5 * (0.5 + d), 80.0 + 60.0 * c * d + 10.0 * a], axis=1)


def rare_decay(u: Floats) -> Floats:
    """Two channels that are open in a corner only, and a mass that is smooth everywhere."""
    x = u - np.array([0.82, 0.2, 0.5, 0.4, 0.6])
    first = np.maximum(0.06 - np.hypot(x[:, 0], x[:, 1]), 0.0) * (1.0 + u[:, 2]) * 1e-6
    second = np.maximum(u[:, 0] - 0.75, 0.0) * (1.0 + 3.0 * u[:, 3] ** 2)
    return np.stack([first, second, 125.0 + 6.0 * x[:, 2] + 4.0 * np.sin(3.0 * x[:, 4]) * u[:, 1]], axis=1)


def magnetic_moment(u: Floats) -> Floats:
    """A mass, and an anomalous moment of either sign over many decades; it must be slightly positive."""
    m, m2, g = 50.0 * 40.0 ** u[:, 0], 50.0 * 40.0 ** u[:, 1], 10.0 ** (-2.0 + 2.5 * u[:, 2])
    sign = np.sin(2.0 * np.pi * u[:, 3]) * (0.2 + u[:, 4])
    moment = 2e8 * g**2 * sign * (1.0 / m**2 - 0.3 / m2**2)
    return np.stack([moment, np.hypot(m, 0.3 * m2) * (0.8 + 0.4 * u[:, 4])], axis=1)


def dipole(u: Floats) -> Floats:
    """An amplitude that is a difference of large terms, of either sign, with a limit on both sides, and a rate."""
    a, b, c, d = u.T
    amplitude = 10.0 ** (6.0 * a - 1.0) * np.sin(2.0 * np.pi * (b - 0.5 * c)) - 10.0 ** (4.0 * c) * np.cos(3.0 * d)
    return np.stack([amplitude, a + b * d + 0.5 * c**2], axis=1)


def lightest(u: Floats) -> Floats:
    """The density of the lightest of three particles: it jumps where another one becomes the lightest."""
    a, b, c, d = u.T
    masses = np.stack([0.4 + 0.6 * a, 0.5 + 0.5 * b + 0.2 * d, 0.45 + 0.5 * c], axis=1)
    which = masses.argmin(axis=1)
    rate = np.array([4.0, 0.4, 60.0])[which] * masses.min(axis=1) ** 2 * (0.5 + d)
    return np.stack([np.log(rate), 600.0 * masses.min(axis=1) + 90.0 * d], axis=1)


def thresholds(u: Floats) -> Floats:
    """A cross section with channels that open one after the other, and a width that jumps with the first."""
    a, b, c, d, e = u.T
    energy = 1.0 + 3.0 * a + b
    section = np.where(energy > 1.8, 1.0 + c, 0.1) + np.where(energy > 2.9, 2.0 * d, 0.0) + np.where(b > c, 0.7, 0.0)
    return np.stack([section, np.where(energy > 1.8, 5.0, 1.0) * (0.5 + e * d), a + c - e], axis=1)


def sentinel(u: Floats) -> Floats:
    """A spectrum exists in a tenth of the space. Elsewhere both observables are -1, close to the good values."""
    a, b, c, d = u.T
    there = (a < 0.4) & (b > 0.5 + 0.3 * c)
    y = np.stack([6.0 * (a - 0.1) + 3.0 * (c - 0.5) ** 2 + d, 8.0 * a * b + 2.0 * d], axis=1)
    return np.where(there[:, None], y, -1.0)


def no_spectrum(u: Floats) -> Floats:
    """The observables are 0 and 10^10 beyond a curved edge, where a tachyon appears; the mass jumps there."""
    a, b, c = u.T
    there = (a - 0.3) ** 2 + (b - 0.4) ** 2 < 0.09 * (1.0 + 0.3 * np.sin(5.0 * c))
    mass = 110.0 + 40.0 * a + 20.0 * b * c
    return np.where(there[:, None], np.stack([mass, 1e-3 + 0.1 * a * c], axis=1), np.array([0.0, 1e10]))


def phase(u: Floats) -> Floats:
    """The phase of an amplitude, which jumps from pi to -pi beside its target, and the absolute value."""
    a, b, c, d = u.T
    amplitude = np.cos(4.0 * a) + b * np.cos(7.0 * c) - 0.3 + 1j * (np.sin(3.0 * b + d) - 1.2 * c)
    return np.stack([np.angle(amplitude), np.abs(amplitude)], axis=1)


def likelihood_of_code(u: Floats) -> Floats:
    """A mass, and the likelihood of two hidden values, which is exactly 0 in most of the space, because exp(-chi^2 / 2)
    is too small for a number there."""
    a, b, c, d, e, f = u.T
    first, second = a * b + 0.5 * np.sin(3.0 * c), d**2 + e * f
    squares = ((first - 0.6) / 0.02) ** 2 + ((second - 0.8) / 0.02) ** 2
    return np.stack([100.0 + 50.0 * a - 20.0 * c * d + 10.0 * e, np.exp(-squares / 2.0)], axis=1)


def light_mass(u: Floats) -> Floats:
    """A light mass, the root of a polynomial that is negative, so that the code returns 0, in half of the space. Its
    mixing, and another mass."""
    a, b, c, d, e = u.T
    square = a - 0.5 + 0.4 * b * c - 0.3 * d**2 + 0.1 * e
    mixing = 1.5 * np.arctan2(0.3 * d + 0.02, square - 0.3 * e)
    return np.stack([np.sqrt(3e5 * np.maximum(square, 0.0)), mixing, 125.0 * (0.8 + 0.3 * b + 0.1 * c * d)], axis=1)


def two_poles(u: Floats) -> Floats:
    """Annihilation at the pole of a mediator, or at the narrow one of the Higgs; masses and couplings are logarithmic,
    and the relic density spans twenty decades."""
    m, heavy = 10.0 ** (1.0 + 3.0 * u[:, 0]), 10.0 ** (1.5 + 2.5 * u[:, 1])
    g, y = 10.0 ** (-4.0 + 4.0 * u[:, 2]), 10.0 ** (-3.0 + 3.0 * u[:, 3])
    mediated = (g * y * m) ** 2 / ((4.0 * m**2 - heavy**2) ** 2 + (0.01 * heavy**2) ** 2)
    higgs = 1e-5 * (g * m) ** 2 / ((4.0 * m**2 - 125.0**2) ** 2 + (3e-4 * 125.0**2) ** 2)
    return np.stack([1e-9 / (mediated + higgs), 1e7 * (g / m) ** 2 * (1.0 + y), 5e4 * y * g / heavy], axis=1)


_COUPLINGS = np.random.default_rng(77).normal(size=(3, 8))


def rates(u: Floats) -> Floats:
    """Three rates of forbidden decays: squares of amplitudes, which are sums of couplings of either sign."""
    c = 2.0 * u - 1.0
    products = np.stack([c[:, 0] * c[:, 1], c[:, 3] * c[:, 4], c[:, 6] * c[:, 7]], axis=1)
    return np.asarray((c @ _COUPLINGS.T + 0.5 * products) ** 2)


def balls(dim: int, count: int, share: float, seed: int) -> Floats:
    """Centres of balls of equal size that fill `share` of the cube, some way from each other and the walls, shape
    (count, dim); see `radius`."""
    rng, r = np.random.default_rng(seed), radius(dim, count, share)
    found: list[Floats] = []
    while len(found) < count:
        new = r + (1.0 - 2.0 * r) * rng.random(dim)
        if all(np.linalg.norm(new - other) > 2.5 * r for other in found):
            found.append(new)
    return np.array(found)


def radius(dim: int, count: int, share: float) -> float:
    """The radius of balls (in the Euclidean norm) of which `count` have the volume `share` of the unit cube."""
    unit = math.pi ** (dim / 2.0) / math.gamma(dim / 2.0 + 1.0)
    return float((share / count / unit) ** (1.0 / dim))


def ellipsoids(dim: int, count: int, share: float, seed: int) -> Floats:
    """Matrices, shape (count, dim, dim), that map ellipsoids of equal volume to unit balls. Their axes have random
    directions, and lengths that differ by up to a factor of four; see `balls` for their centres.
    """
    rng = np.random.default_rng([seed, count])
    lengths = np.exp(rng.uniform(-0.7, 0.7, (count, dim)))
    lengths *= radius(dim, count, share) / np.exp(np.log(lengths).mean(axis=1, keepdims=True))
    return np.asarray(np.linalg.qr(rng.standard_normal((count, dim, dim)))[0].transpose(0, 2, 1) / lengths[:, :, None])


def waves(u: Floats) -> Floats:
    """As many observables as variables. Each is a sine of one variable with two periods, and moves with the next one,
    so that four values of each variable agree with the data.
    """
    return np.asarray(np.sin(4.0 * np.pi * u) + 0.3 * np.roll(u, -1, axis=1))


def sheet(u: Floats) -> Floats:
    """The NLL of a thin curved sheet of codimension 2 in eight dimensions."""
    a, b, c, d, e, f, g, h = (2.0 * u - 1.0).T
    first = a + 0.5 * np.sin(2.0 * b) - 0.4 * c * d + 0.2 * e
    second = f - 0.4 * g**2 + 0.3 * h * b + 0.2 * np.cos(3.0 * e)
    return np.asarray(0.5 * ((first - 0.2) ** 2 + (second - 0.1) ** 2) / 0.006**2)


def saddle(u: Floats) -> Floats:
    """The NLL of another thin sheet, given by a product and a sum of squares."""
    x = (2.0 * u - 1.0).T
    first = x[0] * x[1] + 0.5 * x[2] - 0.3 * x[3]
    second = x[4] ** 2 + x[5] ** 2 + 0.5 * x[6] ** 2 + 0.3 * x[7] - 0.7
    return np.asarray(0.5 * ((first - 0.1) ** 2 + second**2) / 0.006**2)
