"""The physics side of lodescan: turns points into observables and likelihoods.

A physics code written in Python is a function of one `Point`; it raises `InvalidPoint`
where the theory makes no sense. This module imports nothing, so that such a
function can import it anywhere.
"""

__all__ = ["InvalidPoint"]


class InvalidPoint(Exception):
    """The point is unphysical: the code has looked and says so. Status INVALID."""
