"""Cores and memory of a point, and so the number of points that run at once."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.codes.protocol import Code
from evaluator.cores import cores_here
from evaluator.memory import memory_limit


def memory_of_process(codes: Sequence[Code]) -> int:
    """Bytes that a process may have in which these codes run in turn; 0 where one of them does not say."""
    return max(code.memory for code in codes) if all(code.memory for code in codes) else 0


def points_at_once(codes: Sequence[Code]) -> int:
    """How many points fit on this machine at once.

    A point needs as much as the greediest of its codes, which run in turn. Raises ScanFileError where not even one
    point fits.
    """
    cores, memory = cores_here(), memory_limit()
    for code in codes:
        if code.cores > cores or code.memory > memory:
            key = "cores" if code.cores > cores else "memory"
            has = f"{cores} cores, {memory / 1e9:.3g} GB"
            what = f"{code.section.path}: one point wants more {key} than this machine has ({has})"
            raise code.section.error(f"{what}; correct it, or say how many points shall run at once: --workers N", key)
    by_cores = cores // max(code.cores for code in codes)
    return min([by_cores, *(memory // code.memory for code in codes if code.memory)])
