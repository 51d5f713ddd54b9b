"""CAMB with one value of H0 that becomes a NaN baryon density inside, which aborts the process."""

import math

import camb
import camb_w0wa


def observables(point):
    """As camb_w0wa.observables, but for H0 = 70."""
    if point["H0"] == 70.0:
        parameters = camb.CAMBparams()
        parameters.set_cosmology(H0=70.0, ombh2=math.nan, omch2=point["omch2"], mnu=0.06, tau=0.0544)
        camb.get_background(parameters)
    return camb_w0wa.observables(point)
