"""How many cores the codes may keep busy: those of the machine, or of the container."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

from evaluator.cgroups import control_groups


def cores_here() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def cpu_quota(root: Path = Path("/")) -> float:
    """How many cores the CPU time of this container is worth, such as 1.5; infinite where it has no quota.

    `root`: see control_groups. A quota is so many microseconds of CPU in each period of so many.
    """
    found = math.inf
    for version, group in control_groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):  # not there, or `max`
            if version == 2:
                quota, period = map(int, (group / "cpu.max").read_text().split())
            else:
                quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            if quota > 0 and period > 0:  # -1: none
                found = min(found, quota / period)
    return found
