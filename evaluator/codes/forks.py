"""A call that may fork: whatever comes of the child, this process alone goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_this_process(function: Callable[[T], R], argument: T) -> R:
    """function(argument); a child that it has forked and that comes back, by an error too, ends here.

    It would go on as if it were this process, and answer in its place.
    """
    here = os.getpid()
    try:
        return function(argument)
    finally:
        if os.getpid() != here:
            os._exit(1)
