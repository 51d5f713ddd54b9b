"""The cores and the memory that a point needs, and so the number of points that run at once."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.codes.protocol import Code
from evaluator.cores import cores_here, cpu_quota
from evaluator.memory import memory_limit
from scanspec import ScanFileError


def memory_of_process(codes: Sequence[Code]) -> int:
    """The memory in bytes for a process that runs these codes in turn; 0 if one of the codes does not say."""
    return max(code.memory for code in codes) if all(code.memory for code in codes) else 0


def points_at_once(codes: Sequence[Code]) -> int:
    """The number of points that can run on this machine at once.

    The codes of a point run in turn, so a point needs the largest number of cores and the largest memory of its codes.
    All points together may use the container's CPU quota. A single point may use the quota rounded up, and is then a
    little slower. Raises ScanFileError if not even one point fits.
    """
    cores, quota, memory = cores_here(), cpu_quota(), memory_limit()
    for code in codes:
        if code.cores > cores:
            raise _does_not_fit(code, "cores", f"this machine has or lets this process use ({_count(cores)})")
        if code.cores >= quota + 1:
            raise _does_not_fit(code, "cores", f"the CPU quota of this container is worth ({_count(quota)})")
        if code.memory > memory:
            raise _does_not_fit(code, "memory", f"this machine has or lets this process use ({memory / 1e9:.3g} GB)")
    by_cores = max(int(min(cores, quota) // max(code.cores for code in codes)), 1)
    return min([by_cores, *(memory // code.memory for code in codes if code.memory)])


def _count(cores: float) -> str:
    return "1 core" if cores == 1 else f"{cores:.3g} cores"


def _does_not_fit(code: Code, key: str, limit: str) -> ScanFileError:
    message = f"{code.section.path}: one point wants more {key} than {limit}"
    return code.section.error(f"{message}; correct it, or say how many points shall run at once: --workers N", key)
