"""The number of cores that codes may use: those of the machine, or of the container."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

from evaluator.cgroups import control_groups


def cores_here() -> int:
    """The number of cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def cpu_quota(root: Path = Path("/")) -> float:
    """The CPU quota of this container in cores, such as 1.5; infinite if it has none.

    `root`: see control_groups. A quota is given as microseconds of CPU time in each period of some microseconds.
    """
    found = math.inf
    for version, group in control_groups(root, "cpu"):
        with contextlib.suppress(OSError, ValueError):  # the file is missing, or says `max`
            if version == 2:
                quota, period = map(int, (group / "cpu.max").read_text().split())
            else:
                quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            if quota > 0 and period > 0:  # a quota of -1 means none
                found = min(found, quota / period)
    return found
