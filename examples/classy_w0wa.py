"""Background cosmology with CLASS: what camb_w0wa.py computes with CAMB."""

from classy import Class, CosmoComputationError

from evaluator import InvalidPoint

C = 299792.458  # km/s


def observables(point):
    """Distances in units of the sound horizon r_drag; theta100 is 100 times the acoustic angle."""
    cosmology = Class()
    settings = {
        "H0": point["H0"],
        "omega_b": point["ombh2"],
        "omega_cdm": point["omch2"],
        # CLASS counts the optical depth of reionisation when it looks for recombination (tau = 1), which shifts
        # theta_star by ten of Planck's sigmas; CAMB and Planck leave it out
        "reio_parametrization": "reio_none",
        "N_ur": 2.0308,
        "N_ncdm": 1,
        "m_ncdm": 0.06,
        # with the default (1e-10), distances are wrong by 0.2 % where dark energy appears late and suddenly
        "tol_background_integration": 1e-13,
        "Omega_Lambda": 0,
        "w0_fld": point["w0"],
        "wa_fld": point["wa"],
        "use_ppf": "yes",
    }
    try:
        cosmology.set(settings)
        cosmology.compute(level=["thermodynamics"])
        return _read(cosmology)
    except CosmoComputationError as error:
        raise InvalidPoint(f"CosmoComputationError: {error}") from error
    finally:
        cosmology.struct_cleanup()
        cosmology.empty()


def _read(cosmology):
    rdrag = cosmology.rs_drag()
    found = {"theta100": cosmology.theta_star_100(), "rdrag": rdrag, "age": cosmology.age()}
    for z in (0.51, 0.706, 0.93, 1.317, 2.33):
        label = f"{round(z * 1000):04d}"
        found[f"DM_rd_{label}"] = cosmology.angular_distance(z) * (1 + z) / rdrag
        found[f"DH_rd_{label}"] = 1 / cosmology.Hubble(z) / rdrag
    for z in (0.295, 1.491):
        dm, dh = cosmology.angular_distance(z) * (1 + z), 1 / cosmology.Hubble(z)
        found[f"DV_rd_{round(z * 1000):04d}"] = (z * dm**2 * dh) ** (1 / 3) / rdrag
    return found
