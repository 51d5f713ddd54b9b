"""The physics side of lodescan: turns points into observables and likelihoods.

A physics code written in Python is a function of one `Point`; it raises `InvalidPoint`
where the theory makes no sense. This module imports nothing heavy, so that such a
function can import it anywhere.
"""

from evaluator.errors import InvalidPoint

__all__ = ["InvalidPoint"]
