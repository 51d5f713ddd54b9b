"""Calls functions that may fork, and ends their children."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_this_process(function: Callable[[T], R], argument: T) -> R:
    """Returns function(argument). A forked child that returns or raises ends here.

    Otherwise the child would continue as a copy of this process, and send the result a second time.
    """
    here = os.getpid()
    try:
        return function(argument)
    finally:
        if os.getpid() != here:
            os._exit(1)
