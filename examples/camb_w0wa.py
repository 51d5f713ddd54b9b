"""Background cosmology with CAMB: acoustic scale and BAO distances for w0wa dark energy."""

import camb
from camb.baseconfig import CAMBError

from evaluator import InvalidPoint

C = 299792.458  # km/s


def observables(point):
    """Distances in units of the sound horizon r_drag; theta100 is 100 times the acoustic angle."""
    parameters = camb.CAMBparams()
    parameters.set_cosmology(
        H0=point["H0"], ombh2=point["ombh2"], omch2=point["omch2"], mnu=0.06, num_massive_neutrinos=1, tau=0.0544
    )
    try:
        parameters.set_dark_energy(w=point["w0"], wa=point["wa"], dark_energy_model="ppf")
        background = camb.get_background(parameters)
    except CAMBError as error:
        raise InvalidPoint(f"CAMBError: {error}") from error
    derived = background.get_derived_params()
    rdrag = derived["rdrag"]
    found = {"theta100": derived["thetastar"], "rdrag": rdrag, "age": derived["age"]}
    for z in (0.51, 0.706, 0.93, 1.317, 2.33):
        label = f"{round(z * 1000):04d}"
        found[f"DM_rd_{label}"] = background.comoving_radial_distance(z) / rdrag
        found[f"DH_rd_{label}"] = C / background.hubble_parameter(z) / rdrag
    for z in (0.295, 1.491):
        dm, dh = background.comoving_radial_distance(z), C / background.hubble_parameter(z)
        found[f"DV_rd_{round(z * 1000):04d}"] = (z * dm**2 * dh) ** (1 / 3) / rdrag
    return found
