"""Puts back what a function has replaced in Python's own modules: every later point needs it."""

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
    """What the names of these modules stand for. A name that is added stays as it is: it harms nobody."""

    def __init__(self) -> None:
        self._spaces = [module.__dict__ for module in _MODULES]
        self.note()

    def note(self) -> None:
        """Takes what they stand for now as what is meant."""
        self._meant = [space.copy() for space in self._spaces]
        self._seen = self._meant.copy()  # the same and what was added

    def restore(self) -> None:
        """Puts back what was replaced or removed; until that is done it uses no name of Python's own."""
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
