"""Runs one physics program with a deadline, without a shell, and with bounded output. No process of it remains."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.clock import Countdown
from evaluator.errors import CodeFailed, CodeKilled, CodeTimedOut, ConfigurationError
from evaluator.files import FULL, is_full
from evaluator.leftovers import POINT_MARK, ROOT_MARK, WORKER_MARK, kill_marked
from evaluator.memory import memory_limit
from evaluator.scan import THREADS
from scanspec.canonical import split_command
from scanspec.files import open_regular

LARGEST_FILE = 256 * 2**20
"""Bytes that a program or a worker may write into one file, including its standard output."""

NEEDED = frozenset(
    {
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TERM",
        "TZ",
        "TMPDIR",
        "TMP",
        "TEMP",
        "HOSTNAME",
        "LANG",
        "LANGUAGE",
        "LIBRARY_PATH",
        "CPATH",
        "C_INCLUDE_PATH",
        "CPLUS_INCLUDE_PATH",
        "PKG_CONFIG_PATH",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PERL5LIB",
        "JAVA_HOME",
        "R_HOME",
        "ROOTSYS",
        "HDF5_USE_FILE_LOCKING",
        "MPLBACKEND",
        "INTEL_LICENSE_FILE",
        "LM_LICENSE_FILE",
        "CUDA_VISIBLE_DEVICES",
        "HIP_VISIBLE_DEVICES",
        "CC",
        "CXX",
        "FC",
        "F77",
        "GCC_EXEC_PREFIX",
        ROOT_MARK,
        WORKER_MARK,
    }
)
"""The environment variables that a program gets, besides those that the scan file names."""

NEEDED_FAMILIES = (
    "LC_",
    "LD_",
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "NUMEXPR_",
    "GFORTRAN_",
    "MALLOC_",
    "XDG_",
    "PYTHON",
    "LHAPDF",
    "PYTHIA8",
    "MATHEMATICA",
    "APPTAINER",
    "SINGULARITY",
    "SLURM_",
    "PBS_",
    "LSB_",
    "PMI",
    "PRTE_",
    "OMPI_",
    "MPICH_",
    "MV2_",
    "UCX_",
    "I_MPI_",
    "FI_",
)
"""The first letters of other variables that a program gets: for languages, libraries, threads, containers, and what
batch systems tell MPI.
"""

SECRET = frozenset({"SLURM_JWT"})


@dataclass(frozen=True)
class Command:
    """A command of a scan file, split without a shell: words, and files for < and >."""

    words: tuple[str, ...]
    stdin: str | None = None
    stdout: str | None = None

    @classmethod
    def read(cls, text: str, where: str) -> Command:
        """Splits a command into words. Raises ConfigurationError if the command needs a shell."""
        _refuse_expansions(text, where)
        try:
            words = split_command(text)
        except ValueError as error:
            raise ConfigurationError(f"{where}: {text!r} cannot be split into words ({error})") from None
        kept: list[str] = []
        files: dict[str, str | None] = {"<": None, ">": None}
        position = 0
        while position < len(words):
            word = words[position]
            if word in files:
                if position + 1 == len(words) or files[word] is not None:
                    raise ConfigurationError(f"{where}: {word} in {text!r} must be followed by one file")
                files[word] = words[position + 1]
                position += 2
                continue
            if word and not word.strip("<>|&;"):
                raise ConfigurationError(f"{where}: {word!r} in {text!r} needs a shell; put the command into a script")
            kept.append(os.path.expanduser(word))
            position += 1
        if not kept:
            raise ConfigurationError(f"{where}: the command is empty")
        return cls(tuple(kept), files["<"], files[">"])

    def executable(self, folder: Path, where: str) -> Path:
        """The program's file: relative to the scan file's folder if its name has a slash, else from PATH. Raises
        ConfigurationError if there is none.
        """
        name = self.words[0]
        found = shutil.which(str((folder / name).resolve()) if "/" in name else name, path=search_path())
        if found is None:
            raise ConfigurationError(f"{where}: the program {name!r} {_why_not(folder, self.words)}")
        return Path(found)


def _why_not(folder: Path, words: Sequence[str]) -> str:
    """Why the program of a command cannot be executed, and what to do."""
    name, path = words[0], folder / words[0]
    starts = (" ".join(words[:count]) for count in range(2, len(words) + 1))
    if (whole := next((start for start in starts if (folder / start).is_file()), None)) is not None:
        return f"does not exist; put the path with blanks into quotes within the command: {shlex.quote(whole)}"
    if "/" not in name:
        beside = (
            f"; the one beside the scan file is {shlex.quote(f'./{name}')}" if path.is_file() else "; write its path"
        )
        return f"does not exist in a folder of PATH{beside}"
    if not path.is_file():
        return f"does not exist: there is no file {path}"
    return f"is not executable: give it the right with chmod +x {shlex.quote(str(path))}"


def _refuse_expansions(text: str, where: str) -> None:
    """Raises ConfigurationError for text that only a shell expands, unless it stands in quotes that prevent the
    expansion.
    """
    bare = re.sub(r"\\.|'[^']*'", "", text)
    outside = re.sub(r'"[^"]*"', "", bare)
    found = re.search(r"[$`]", bare) or re.search(r"[*?]|(?:^|\s)(?:2>|&>)", outside)
    if found:
        message = f"{found[0].strip()!r} in {text!r} needs a shell"
        raise ConfigurationError(f"{where}: {message}; put the command into a script")
    if re.match(r"\s*\w+=", outside):
        raise ConfigurationError(
            f"{where}: {text!r} sets a variable of the environment; do that by environment_variables in setup"
        )


def search_path() -> str:
    """The scripts of this Python environment, where a physics package has its commands, and PATH."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


@dataclass(frozen=True)
class Finished:
    """The result of a program that ended by itself: its exit code, and the last bytes of its output."""

    exit_code: int
    stdout: str
    stderr: str


def run_program(
    words: list[str],
    folder: Path,
    *,
    log: str,
    timeout: float,
    stdin: Path | None = None,
    stdout: Path | None = None,
    variables: Collection[str] = (),
    threads: int = 0,
    memory: int = 0,
) -> Finished:
    """Runs a program in `folder`, for at most `timeout` seconds.

    Standard output and error go to `<log>.stdout` and `<log>.stderr` there, or to `stdout`. At the deadline, the whole
    process group is killed, and processes that have left the group. The program gets a part of this process's
    environment (see `environment`), with the `variables`. Each of its processes is told to use `threads` threads if
    this is not 0, and may use `memory` bytes if this is not 0. Raises CodeTimedOut, CodeKilled (SIGKILL from outside,
    or a full disk), and CodeFailed (it cannot be started, or wrote too much).
    """
    told = {name: str(threads) for name in THREADS if name not in variables} if threads else {}
    out_path = stdout or folder / f"{log}.stdout"
    error_path = folder / f"{log}.stderr"
    with contextlib.ExitStack() as files:
        try:
            source = files.enter_context(open(stdin, "rb", opener=open_regular)) if stdin else subprocess.DEVNULL
            for path in (out_path, error_path):
                path.unlink(missing_ok=True)  # a code before this one may have put a link or a pipe there
            out = files.enter_context(out_path.open("xb"))
            err = files.enter_context(error_path.open("xb"))
            process = subprocess.Popen(
                _with_memory(words, memory) if memory else words,
                cwd=folder,
                stdin=source,
                stdout=out,
                stderr=err,
                start_new_session=True,
                env=environment(variables) | told | {POINT_MARK: str(folder)},
            )
        except OSError as error:
            if error.errno in FULL:
                raise
            why = _missing_interpreter(words[0]) or f"{error.strerror} ({error.filename})"
            raise CodeFailed(f"{words[0]} could not be started: {why}") from error
    try:
        ended = _wait(process, timeout)
    finally:
        # before the leader is reaped, so that its number still belongs to this group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if not ended:
        kill_marked(POINT_MARK, folder)
        raise CodeTimedOut(f"{Path(words[0]).name} ran past its deadline of {timeout:g} s and was ended")
    if process.returncode in (-signal.SIGKILL, -signal.SIGTERM):
        kill_marked(POINT_MARK, folder)
        raise CodeKilled(f"{Path(words[0]).name} was killed from outside (out of memory?)")
    if process.returncode == -signal.SIGXFSZ:
        raise CodeFailed(f"{Path(words[0]).name} wrote more than {LARGEST_FILE >> 20} MiB into one file and was ended")
    finished = Finished(process.returncode, read_tail(out_path), read_tail(error_path))
    if is_full(folder) or _says_full(finished):
        raise CodeKilled(f"the disk is full; {Path(words[0]).name} could not write its output")
    return finished


def _with_memory(words: list[str], memory: int) -> list[str]:
    """The command that runs a program with a limit on the memory of its processes.

    The limit is set by a shell, which the program replaces, because Python code between fork and exec makes each start
    slow.
    """
    return ["/bin/sh", "-c", f'ulimit -d {memory >> 10} && exec "$@"', "sh", *words]


def _missing_interpreter(program: str) -> str:
    """The error in the first line of a script; empty if there is none."""
    try:
        with open(program, "rb", opener=open_regular) as file:
            head = file.readline(1000)
    except OSError:
        return ""
    if not head.startswith(b"#!"):
        return ""
    line = head.decode("utf-8", errors="replace").rstrip("\n")
    if line.endswith("\r"):
        return "its lines end as on Windows, and so does its interpreter's name; save it with line ends of Unix"
    interpreter = (line[2:].split() or [""])[0]
    return (
        "" if os.access(interpreter, os.X_OK) else f"its first line, {line!r:.200}, names a program that is not there"
    )


def _says_full(finished: Finished) -> bool:
    """Whether a failed program reports a full disk. The disk itself may have free space again."""
    output = finished.stderr + finished.stdout if finished.exit_code != 0 else finished.stderr
    return "No space left on device" in output or "Disk quota exceeded" in output


def environment(variables: Collection[str]) -> dict[str, str]:
    """The part of this process's environment that a program gets: what programs need to run, and the `variables` of the
    scan file.

    A program does not get the rest, which may contain tokens and passwords.
    """
    found = {
        name: value
        for name, value in os.environ.items()
        if name in NEEDED or name in variables or (name.startswith(NEEDED_FAMILIES) and name not in SECRET)
    }
    return found | {"PATH": search_path()}


def _wait(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Whether the program ended in time. It stays unreaped. (Popen.wait would poll, and sleep up to 50 ms.)"""
    if not hasattr(os, "pidfd_open"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
            return True
        return False
    descriptor = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        deadline = Countdown(timeout)
        while (left := deadline.left()) > 0:
            if poll.poll(min(left, 3600) * 1000):
                return True
        return bool(poll.poll(0))
    finally:
        os.close(descriptor)


def read_tail(path: Path, size: int = 4000) -> str:
    """The last bytes of a file as text, whatever the bytes are; empty if there is no file."""
    try:
        with open(path, "rb", opener=open_regular) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - size))
            return file.read(size).decode("utf-8", errors="replace")
    except OSError:
        return ""


def last_line(text: str) -> str:
    """The last line that is not blank, without control characters."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "".join(char for char in lines[-1] if char.isprintable())[:300] if lines else ""


def limit_resources() -> None:
    """Limits the file sizes, the memory, and the core dumps (none) of this process and of all processes that it starts.

    If the machine runs out of memory, the kernel ends these processes before the evaluator and other programs.
    """
    with contextlib.suppress(OSError):
        score = Path("/proc/self/oom_score_adj")
        score.write_text(str(max(500, int(score.read_text()))))
    _limit(resource.RLIMIT_FSIZE, LARGEST_FILE)
    _limit(resource.RLIMIT_CORE, 0)
    limit_memory(memory_limit())


def limit_memory(memory: int) -> None:
    """Limits the data of this process, and of each process that it starts, in bytes."""
    _limit(resource.RLIMIT_DATA, memory)


def _limit(kind: int, wanted: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
