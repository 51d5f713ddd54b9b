"""The memory that codes may use: that of the machine, or of the container."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from evaluator.cgroups import control_groups

SHARE = 0.9
"""The fraction of a container's limit that one process may use.

A code that asks for more fails by itself, which costs only its point. At the container's limit, the kernel would kill a
process of its choice, or all processes of the container.
"""

RESERVED = 48 * 2**20
"""Bytes per core that count as used but are not: the stack of a thread (8 MiB) and its buffer in OpenBLAS (32 MiB).

Libraries start such threads for all visible cores, even in a small container on a large machine.
"""

_FILES = {2: "memory.max", 1: "memory.limit_in_bytes"}


def memory_limit(root: Path = Path("/")) -> int:
    """The most bytes of data that one process may have. `root`: see control_groups."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    reserved = RESERVED * len(os.sched_getaffinity(0))
    return min([machine, *(int(SHARE * limit) + reserved for limit in _container_limits(root))])


def _container_limits(root: Path) -> Iterator[int]:
    for version, group in control_groups(root, "memory"):
        with contextlib.suppress(OSError, ValueError):  # not there, or `max`
            yield int((group / _FILES[version]).read_text())
