"""How much memory the codes may take: that of the machine or of the container."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

SHARE = 0.9
"""The share of a container's limit that one process may take.

A code that asks for more fails by itself, and costs its point. At the limit the kernel kills: a process of
its choice, or all that are in the container.
"""

RESERVED = 48 * 2**20
"""Bytes for each core that count without being used: a thread's stack (8 MiB) and its buffer in OpenBLAS (32 MiB).

Such threads are started for all cores that are seen, in a small container on a large machine too.
"""

_V2, _V1 = "memory.max", "memory.limit_in_bytes"


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes of data that one process may have. `root`: where the file tree with proc and sys begins."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    reserved = RESERVED * len(os.sched_getaffinity(0))
    return min([machine, *(int(SHARE * limit) + reserved for limit in _container_limits(root))])


def _container_limits(root: Path) -> Iterator[int]:
    """The limits of this process's control group and of those around it, in both versions of cgroups.

    Each line of /proc/self/cgroup is hierarchy:controllers:path; version 2 has no controllers.
    In a container the path may be the host's, of which nothing is there but its end, the
    mounted root: so a group that is not there is passed over.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            folder, file = root / "sys/fs/cgroup", _V2
        elif "memory" in controllers.split(","):
            folder, file = root / "sys/fs/cgroup/memory", _V1
        else:
            continue
        inner = Path(group.strip("/"))
        for control_group in (inner, *inner.parents):
            with contextlib.suppress(OSError, ValueError):  # not there, or `max`
                yield int((folder / control_group / file).read_text())
