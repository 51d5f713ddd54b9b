"""Distances of baryon acoustic oscillations in flat ΛCDM, in units of the sound horizon r_d."""

from math import sqrt

LIGHT = 299_792.458  # km/s


def observables(point):
    """D_V / r_d, D_M / r_d and D_H / r_d at the redshifts of DESI, from omega_m and h r_d in Mpc."""
    omega_m, in_horizons = point["omega_m"], LIGHT / 100.0 / point["h_rd"]  # c / H0 in units of r_d

    def rate(z):  # H(z) / H0; radiation is left out
        return sqrt(omega_m * (1.0 + z) ** 3 + 1.0 - omega_m)

    def across(z, steps=60):  # Simpson's rule
        h = z / steps
        inner = sum((4 if k % 2 else 2) / rate(k * h) for k in range(1, steps))
        return in_horizons * h / 3.0 * (1.0 + inner + 1.0 / rate(z))

    found = {}
    for z in (0.510, 0.706, 0.930, 1.317, 2.330):
        found[f"DM_rd_{1000 * z:04.0f}"] = across(z)
        found[f"DH_rd_{1000 * z:04.0f}"] = in_horizons / rate(z)
    for z in (0.295, 1.491):
        found[f"DV_rd_{1000 * z:04.0f}"] = (z * across(z) ** 2 * in_horizons / rate(z)) ** (1.0 / 3.0)
    return found
