"""Calls that may fork: only this process goes on after them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_this_process(function: Callable[[T], R], argument: T) -> R:
    """Returns function(argument). A forked child that returns or raises is ended here.

    Otherwise it would go on as if it were this process and answer in its place.
    """
    here = os.getpid()
    try:
        return function(argument)
    finally:
        if os.getpid() != here:
            os._exit(1)
