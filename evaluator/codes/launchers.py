"""How many processes a command starts by a launcher of MPI, and so how many threads each of them may have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

LAUNCHERS = frozenset({"mpirun", "mpiexec", "mpiexec.hydra", "orterun", "prterun", "srun"})

NUMBER = frozenset({"-n", "-np", "--n", "--np", "--ntasks"})
"""The options before the number of processes, for Open MPI, MPICH, Intel MPI and Slurm."""


def threads_of_each(words: Sequence[str], cores: int) -> int:
    """How many threads each process of the command `words` may have, which has so many `cores` in all."""
    if not any(Path(word).name in LAUNCHERS for word in words):
        return cores
    split = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    number = next((number for option, number in pairwise(split) if option in NUMBER), "1")
    processes = cores if number == "{cores}" else int(number) if number.isdecimal() else 1
    return max(cores // max(processes, 1), 1)
