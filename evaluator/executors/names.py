"""Restores names that a function has replaced in Python's own modules, because later points need them."""

from __future__ import annotations

import builtins
import ctypes
import math
import os
import random
import signal
import sys
import time
from typing import Any

_MODULES = (builtins, time, os, math, random, signal)


class Names:
    """The values of the names in these modules. A name that a function adds stays, because it does no harm."""

    def __init__(self) -> None:
        self._spaces = [module.__dict__ for module in _MODULES]
        self._versions = [version_of(space) for space in self._spaces]
        self.note()

    def note(self) -> None:
        """Takes the present values as the right ones."""
        self._meant = [space.copy() for space in self._spaces]
        self._seen = self._meant.copy()  # the same, with names that were added
        self._unchanged = [version.value if version is not None else None for version in self._versions]

    def restore(self) -> None:
        """Restores names that were replaced or removed. Until then, it uses no built-in names."""
        number = 0
        for version in self._versions:
            if version is None or version.value != self._unchanged[number]:
                self._restore(number)
                self._unchanged[number] = version.value if version is not None else None
            number += 1  # noqa: SIM113  # enumerate may be another function by now

    def _restore(self, number: int) -> None:
        space = self._spaces[number]
        if _differ(space, self._seen[number]):
            space.update(self._meant[number])
            self._seen[number] = space.copy()


def _differ(space: dict[str, Any], seen: dict[str, Any]) -> bool:
    try:
        return space != seen  # takes a microsecond for a hundred names that are still the same objects
    except:  # noqa: E722  # an object that cannot be compared; `Exception` may be another one by now
        return True


def version_of(space: dict[str, Any]) -> ctypes.c_uint64 | None:
    """The version of a dictionary, a number that CPython changes with each change of the dictionary (PEP 509). It is
    behind the header of the object and the count of its entries. None where CPython has no such number; then only a
    comparison shows a change.
    """
    if sys.implementation.name != "cpython":
        return None
    behind = object.__basicsize__ + ctypes.sizeof(ctypes.c_ssize_t)
    sample: dict[str, Any] = {"a": None, "b": None}
    version = ctypes.c_uint64.from_address(id(sample) + behind)
    for change in (lambda: sample.update(a=1), lambda: sample.pop("b"), lambda: sample.update(c=2)):
        before = version.value
        if sample.get("a") is sample or version.value != before:  # reading changes nothing
            return None
        change()
        if version.value == before:
            return None
    return ctypes.c_uint64.from_address(id(space) + behind)
