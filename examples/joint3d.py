"""A toy with three variables whose observables have correlated measurements."""

import math


def observables(point):
    """Two masses, a mixing, and a cross section that falls with the first mass."""
    m, r, c = point["m"], point["r"], point["c"]
    return {
        "m1": m,
        "m2": m * (1.0 + r),
        "mixing": r * math.cos(c),
        "xs": 10.0 ** (-45.0 + 2.0 * r) * (100.0 / m),
    }
