"""The light Higgs boson's mass with the leading one-loop correction of top and stop."""

from math import log, nan, pi, sqrt

V = 174.1  # GeV
MT = 162.5  # running top mass at its own scale, GeV
ALPHA_S = 0.1085


def running_top_mass(q):
    """m_t(q) in GeV, one loop."""
    return MT * (1 + 7 * ALPHA_S / (2 * pi) * log(q / MT)) ** (-4 / 7)


def observables(point):
    """m_h in GeV, in the form of Haber, Hempfling, Hoang, hep-ph/9609331; NaN where m_h^2 is negative."""
    masses = point.spectrum
    ms2 = masses["MASS", 1000006] * masses["MASS", 2000006]
    x = (point["At"] - point["mu"] / point["tanb"]) / sqrt(ms2)
    loop = 3 / (4 * pi**2 * V**2)
    logarithm = running_top_mass(sqrt(MT * sqrt(ms2))) ** 4 * log(ms2 / MT**2)
    mixing = running_top_mass(sqrt(ms2)) ** 4 * x**2 * (1 - x**2 / 12)
    mh2 = masses["MASS", 25] ** 2 + loop * (logarithm + mixing)
    return {"mh": sqrt(mh2) if mh2 >= 0 else nan}
