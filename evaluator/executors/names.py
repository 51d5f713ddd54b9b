"""Restores names that a function has replaced in Python's own modules, because later points need them."""

from __future__ import annotations

import builtins
import math
import os
import random
import signal
import time
from typing import Any

_MODULES = (builtins, time, os, math, random, signal)


class Names:
    """The values of the names in these modules. A name that a function adds stays, because it does no harm."""

    def __init__(self) -> None:
        self._spaces = [module.__dict__ for module in _MODULES]
        self.note()

    def note(self) -> None:
        """Takes the present values as the right ones."""
        self._meant = [space.copy() for space in self._spaces]
        self._seen = self._meant.copy()  # the same, with names that were added

    def restore(self) -> None:
        """Restores names that were replaced or removed. Until then, it uses no built-in names."""
        number = 0
        for space in self._spaces:
            if _differ(space, self._seen[number]):
                space.update(self._meant[number])
                self._seen[number] = space.copy()
            number += 1  # noqa: SIM113  # enumerate may be another function by now


def _differ(space: dict[str, Any], seen: dict[str, Any]) -> bool:
    try:
        return space != seen  # takes a microsecond for a hundred names that are still the same objects
    except:  # noqa: E722  # an object that cannot be compared; `Exception` may be another one by now
        return True
