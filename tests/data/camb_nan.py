"""CAMB, which gets a NaN baryon density at one value of H0 and then aborts the process."""

import math

import camb
import camb_w0wa


def observables(point):
    """The same as camb_w0wa.observables, except at H0 = 70."""
    if point["H0"] == 70.0:
        parameters = camb.CAMBparams()
        parameters.set_cosmology(H0=70.0, ombh2=math.nan, omch2=point["omch2"], mnu=0.06, tau=0.0544)
        camb.get_background(parameters)
    return camb_w0wa.observables(point)
