"""The dark photon's part of the muon's anomalous magnetic moment: put your own physics in its place.

The evaluator calls `observables` for each point. It may read files beside this one and
write into `point.folder`; what it prints goes into a log.
"""

from math import pi

from evaluator import InvalidPoint

ALPHA = 1 / 137.036
M_MUON, M_ELECTRON = 105.658, 0.511  # MeV
STEPS = 200


def loop(mass):
    """The loop integral for a vector boson of this mass in MeV (Pospelov, arXiv:0811.1030), by Simpson's rule."""

    def integrand(z):
        return 2 * z * (1 - z) ** 2 / ((1 - z) ** 2 + z * (mass / M_MUON) ** 2)

    inner = sum((4 if n % 2 else 2) * integrand(n / STEPS) for n in range(1, STEPS))
    return (inner + integrand(0.0)) / (3 * STEPS)  # the integrand is 0 at z = 1


def observables(point):
    """Returns numbers by name: the observables of the scan file."""
    mass, epsilon = point["mass"], point["epsilon"]
    if mass < 2 * M_ELECTRON:
        # says that the physics makes no sense here; any other exception says that the code has failed
        raise InvalidPoint("too light to decay into electrons")
    return {"amu": ALPHA / (2 * pi) * epsilon**2 * loop(mass)}
