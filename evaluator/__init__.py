"""The physics side of lodescan: turns points into observables and likelihoods.

A physics code written in Python is a function of one `Point`; it raises `InvalidPoint` where the theory makes no sense.
This module imports nothing, so that user functions can import it anywhere.
"""

__all__ = ["InvalidPoint"]


class InvalidPoint(Exception):
    """A code raises this for an unphysical point. The point is then INVALID."""
