"""The processor's floating-point arithmetic. Libraries that a function calls may change it for all later points."""

from __future__ import annotations

import ctypes

_LARGEST = 512
"""Bytes that are enough for C's type fenv_t on every processor."""

_HALF, _QUARTER = 2.0**-53, 2.0**-54  # of the distance from 1 to the next number
_LEAST_NORMAL = 2.0**-1022


class Arithmetic:
    """The rounding mode, and whether numbers below 2.2e-308 are taken for 0, as they are when this is made."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._set = getattr(library, "fesetenv", None)
        self._kept = ctypes.create_string_buffer(_LARGEST)
        if self._set is not None:
            library.fegetenv(self._kept)
        self._results = _results()

    def restore(self) -> None:
        """Undoes what a function has changed."""
        if _results() != self._results and self._set is not None:
            self._set(self._kept)


def _results() -> tuple[bool, bool, bool]:
    """What the arithmetic gives. This takes a tenth of the time of a call into the library."""
    return 1.0 + _QUARTER > 1.0, 1.0 + (_HALF + _QUARTER) > 1.0, _LEAST_NORMAL * (1.0 - _HALF) > 0.0
