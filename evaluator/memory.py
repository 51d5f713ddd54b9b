"""How much memory the codes may take: that of the machine or of the container."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from evaluator.cgroups import control_groups

SHARE = 0.9
"""The share of a container's limit that one process may take.

A code that asks for more fails by itself, and costs its point. At the limit the kernel kills: a process of
its choice, or all that are in the container.
"""

RESERVED = 48 * 2**20
"""Bytes for each core that count without being used: a thread's stack (8 MiB) and its buffer in OpenBLAS (32 MiB).

Such threads are started for all cores that are seen, in a small container on a large machine too.
"""

_FILES = {2: "memory.max", 1: "memory.limit_in_bytes"}


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes of data that one process may have. `root`: see control_groups."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    reserved = RESERVED * len(os.sched_getaffinity(0))
    return min([machine, *(int(SHARE * limit) + reserved for limit in _container_limits(root))])


def _container_limits(root: Path) -> Iterator[int]:
    for version, group in control_groups(root, "memory"):
        with contextlib.suppress(OSError, ValueError):  # not there, or `max`
            yield int((group / _FILES[version]).read_text())
