"""Counts the processes that a command starts with an MPI launcher, and so the threads that each process may have."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """The syntax of a command up to the program that it starts. Options are written without dashes.

    `number` are the options that give the number of processes. `one` and `two` are other options with one or two
    values. `operands` is the number of words before the program that are not options.
    """

    number: frozenset[str] = frozenset()
    one: frozenset[str] = frozenset()
    two: frozenset[str] = frozenset()
    operands: int = 0


def _usage(*, number: str = "", one: str = "", two: str = "", operands: int = 0) -> Usage:
    return Usage(frozenset(number.split()), frozenset(one.split()), frozenset(two.split()), operands)


PREFIXES = {
    "apptainer": _usage(one="B bind H home pwd cwd env env-file W workdir S scratch o overlay app", operands=2),
    "chrt": _usage(one="T sched-runtime P sched-period D sched-deadline", operands=1),
    "conda": _usage(one="n name p prefix cwd", operands=1),
    "env": _usage(one="u unset C chdir"),
    "ionice": _usage(one="c class n classdata"),
    "nice": _usage(one="n adjustment"),
    "nohup": _usage(),
    "numactl": _usage(one="i interleave p preferred m membind N cpunodebind C physcpubind"),
    "setsid": _usage(),
    "stdbuf": _usage(one="i input o output e error"),
    "taskset": _usage(operands=1),
    "time": _usage(one="f format o output"),
    "timeout": _usage(one="k kill-after s signal", operands=1),
}
"""Commands that start another command."""

PREFIXES |= {"mamba": PREFIXES["conda"], "micromamba": PREFIXES["conda"], "singularity": PREFIXES["apptainer"]}

_MPIRUN = _usage(
    number="n np c ntasks",
    one="H host hosts hostfile machine machinefile default-hostfile f N npernode npersocket ppn ppr perhost grr "
    "rankmap map-by rank-by bind-to membind cpu-set cpu-list cpus-per-proc cpus-per-rank gpus-per-proc slot-list "
    "rf rankfile wd wdir path prefix tmpdir arch soft file app configfile am amca tune personality display output "
    "output-filename outfile-pattern errfile-pattern prepend-pattern stdin stream-buffering xterm timeout "
    "runtime-options dvm dvm-uri ompi-server pset max-restarts launch-agent launcher launcher-exec bootstrap "
    "bootstrap-exec rmk topolib iface demux nameserver localhost memory-alloc-kinds usize order-nodes x genvlist "
    "envlist umask",
    two="mca gmca omca gomca prtemca pmixmca genv env",
)
"""The options of Open MPI 4 and 5, MPICH (Hydra), and Intel MPI, which write long options with one dash or two."""

_SRUN = _usage(
    number="n ntasks tasks",
    one="A B c C d D e F G i J L m M N o p q r S t T w W x account acctg-freq begin chdir cluster-constraint clusters "
    "comment constraint container core-spec cores-per-socket cpu-bind cpu-freq cpus-per-gpu cpus-per-task "
    "deadline dependency distribution epilog error exclude export extra-node-info gpu-bind gpus gpus-per-node "
    "gpus-per-socket gpus-per-task gres gres-flags hint input job-name jobid licenses mem mem-bind mem-per-cpu "
    "mem-per-gpu mincpus mpi network nodefile nodelist nodes ntasks-per-core ntasks-per-gpu ntasks-per-node "
    "ntasks-per-socket open-mode output partition priority profile prolog qos relative reservation signal "
    "sockets-per-node switches task-epilog task-prolog thread-spec threads threads-per-core time time-min tmp "
    "wait wckey",
)

LAUNCHERS = {
    f"{name}{kind}": _MPIRUN
    for name in ("mpirun", "mpiexec", "orterun", "prterun")
    for kind in ("", ".hydra", ".mpich", ".openmpi")
} | {"srun": _SRUN}


def threads_of_each(words: Sequence[str], cores: int) -> int:
    """The number of threads that each process of a command may have, if the command has `cores` cores in total."""
    processes = _processes([word.replace("{cores}", str(cores)) for word in words], cores)
    return max(cores // max(processes, 1), 1)


def _processes(words: Sequence[str], slots: int) -> int:
    """The number of processes that the command starts. A launcher may start another launcher."""
    name = Path(words[0]).name if words else ""
    if name in PREFIXES:
        return _processes(_read(words[1:], PREFIXES[name])[1], slots)
    if name not in LAUNCHERS:
        return 1
    usage = LAUNCHERS[name]
    if usage is _SRUN:  # without a number it starts as many as the job says, or one
        said = os.environ.get("SLURM_NTASKS", "1")
        slots = int(said) if said.isdecimal() else 1
    read = [_read(part, usage) for part in _parts(words[1:])]
    return sum((slots if number is None else number) * _processes(program, slots) for number, program in read)


def _parts(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """The parts between the colons, because a launcher can start several programs."""
    start = 0
    for end, word in enumerate((*words, ":")):
        if word == ":":
            yield words[start:end]
            start = end + 1


def _read(words: Sequence[str], usage: Usage) -> tuple[int | None, Sequence[str]]:
    """The number of processes (None if it is not given), and the words from the program on."""
    number, operands, k = None, usage.operands, 0
    while k < len(words):
        word = words[k]
        k += 1
        if not word.startswith("-"):
            if re.match(r"\w+=", word):  # env NAME=VALUE
                continue
            if operands == 0:
                return number, words[k - 1 :]
            operands -= 1
            continue
        option, given, value = word.lstrip("-").partition("=")
        option = option.replace("_", "-")  # older versions of Slurm: --cpu_bind
        if attached := re.fullmatch(r"([a-z]+)(\d+)", option):  # -n4
            option, value = attached.groups()
            given = value
        if not given:
            following = 2 * (option in usage.two) + (option in usage.one or option in usage.number)
            value = words[k] if following and k < len(words) else ""
            k += following
        if option in usage.number and value.isdecimal():
            number = int(value)
    return number, ()
