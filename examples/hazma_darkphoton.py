"""Sub-GeV dark matter that annihilates through a dark photon, with hazma."""

from hazma import cmb
from hazma.parameters import sv_inv_MeV_to_cm3_per_s
from hazma.relic_density import relic_density
from hazma.vector_mediator import KineticMixing

X_KD = 1e-4  # temperature of kinetic decoupling in units of the dark matter's mass


def observables(point):
    """Relic density omega h^2; cmb_ratio: <sigma v> at recombination in units of its limit. Masses in MeV."""
    mx = point["mx"]
    model = KineticMixing(mx=mx, mv=point["mv"], gvxx=point["gvxx"], eps=point["eps"])
    v = cmb.vx_cmb(mx, X_KD)
    e_cm = 2 * mx * (1 + v**2 / 2)
    sigma = model.annihilation_cross_sections(e_cm)["total"]  # MeV^-2
    sv = sigma * 2 * v * sv_inv_MeV_to_cm3_per_s
    limit = model.cmb_limit(x_kd=X_KD)
    return {
        "omega_h2": relic_density(model, semi_analytic=False),
        "sv_cmb": sv,
        "cmb_limit": limit,
        "cmb_ratio": sv / limit,
    }
