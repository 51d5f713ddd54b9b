"""Ends what a point or an evaluator leaves behind, whoever was killed.

Every process of an evaluator carries marks in its environment: the evaluator's scratch
root, the worker it comes from, and, for the programs of a point, that point's scratch
folder. So even a program that has left its process group and its session is found through
/proc. (A mark cannot be lost with the process that would have recorded a process group.)
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Mapping
from multiprocessing import resource_tracker, util
from pathlib import Path
from typing import NamedTuple

from evaluator.clock import Clock

ROOT_MARK = "LODESCAN_SCRATCH"
WORKER_MARK = "LODESCAN_WORKER"
POINT_MARK = "LODESCAN_POINT"

CLOCK = "clock"
"""The file of the evaluator's time in its scratch root."""

CLEAR_LIMIT = 10.0
"""Seconds within which what was killed must be gone; a process that is stuck in the kernel is let be, and named."""

LONGEST_FOR_SOCKETS = 70
"""Characters of a path that leave room for a socket's name: the system takes 107."""

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
"""The signals that end an evaluator in an orderly way: those of people, terminals and batch systems. They may be sent
to all its processes at once, of which only its own takes them up."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def outlast_endings() -> None:
    """Signals that end an evaluator do nothing here: it ends its processes in order. For the main thread.

    They have a handler, because programs would inherit that a signal is ignored.
    """
    for number in ENDING:
        signal.signal(number, _do_nothing)
    let_forks_end()


def _do_nothing(*_: object) -> None:
    pass


def let_forks_end() -> None:
    """Forked children do not inherit the handlers that these signals have now: multiprocessing ends its processes by
    SIGTERM. And asyncio would take the signal of a child for its own. A signal that comes while a child is being
    forked waits until the child has forgotten them, since they would swallow it.
    """
    ours = {number: signal.getsignal(number) for number in ENDING}
    forking = threading.local()

    def hold() -> None:
        forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, forking.mask)

    def forget() -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in ours.items():
            if callable(handler) and signal.getsignal(number) is handler:
                signal.signal(number, signal.SIG_DFL)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=forget)


def kill_marked(mark: str, value: str | Path) -> set[int]:
    """Kills every process whose environment has this mark, this one excepted, and all that comes from them.

    Returns those that there were.
    """
    needle = f"{mark}={value}".encode()
    return _kill_trees(lambda process: needle in process.environment())


def kill_worker(root: Path, worker: str, session: int, orphans_of: int, others: Collection[int]) -> None:
    """Kills a worker and all that comes from it.

    That is: what has its mark, or, where it only forked, its session; and what was left to the
    fork server, `orphans_of`, whose children are else only the `others` and in its own session.
    """
    root_mark, worker_mark = f"{ROOT_MARK}={root}".encode(), f"{WORKER_MARK}={worker}".encode()
    server_session = _session(orphans_of)

    def ours(process: _Process) -> bool:
        if orphans_of and process.parent == orphans_of and process.pid not in others:
            return _session(process.pid) != server_session
        environment = process.environment()
        return worker_mark in environment or (root_mark in environment and _session(process.pid) == session)

    _kill_trees(ours)


class _Process(NamedTuple):
    pid: int
    parent: int

    def environment(self) -> list[bytes]:
        """The environment of a process; empty when the process has ended or belongs to another user."""
        try:
            with open(f"/proc/{self.pid}/environ", "rb") as file:
                return file.read().split(b"\0")
        except OSError:
            return []


def parents() -> dict[int, int]:
    """The parent of every process."""
    found = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry.name}/stat", "rb") as file:
                found[int(entry.name)] = int(file.read().rpartition(b")")[2].split()[1])
    return found


def descendants(pid: int) -> set[int]:
    """All descendants of a process that can be found through living parents."""
    return _with_descendants({pid}, parents()) - {pid}


def running_name(pid: int) -> str:
    """The program that a process runs, with its first argument where that is a script's; empty when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            comm, _, rest = file.read().partition(b"(")[2].rpartition(b")")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(1000).split(b"\0")
    except OSError:
        return ""
    if rest.split()[0] in (b"Z", b"X"):
        return ""
    script = os.path.basename(words[1]) if len(words) > 1 and os.path.isfile(words[1]) else b""
    name = b" ".join(part for part in (comm, script) if part).decode(errors="replace")
    return "".join(char for char in name if char.isprintable())[:60]


def _with_descendants(roots: set[int], found: Mapping[int, int]) -> set[int]:
    """The `roots` and all that comes from them; `found`: the parent of every process."""
    children: dict[int, list[int]] = {}
    for pid, parent in found.items():
        children.setdefault(parent, []).append(pid)
    ours, new = set(roots), list(roots)
    while new:
        more = [pid for pid in children.get(new.pop(), ()) if pid not in ours]
        ours.update(more)
        new += more
    return ours


def _kill_trees(is_root: Callable[[_Process], bool]) -> set[int]:
    """Kills processes with their descendants. First it stops all of them, so that none can start another one and
    disappear.
    """
    stopped: set[int] = set()
    here = os.getpid()
    while True:
        found = parents()
        roots = {pid for pid, parent in found.items() if is_root(_Process(pid, parent))}
        ours = _with_descendants(roots, found)
        new = [pid for pid in ours - stopped if pid != here and _send(pid, signal.SIGSTOP)]
        if not new:
            break
        stopped.update(new)
    for pid in stopped:
        _send(pid, signal.SIGKILL)
    return stopped


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own parent has ended: see `has_children`."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with_parent(parent: int) -> None:
    """Makes the kernel kill this process when its parent ends, or ends it if that has ended already."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def has_children() -> bool:
    """Whether this process has a child, running or not yet waited for. Takes microseconds, unlike a walk of /proc."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def clear_point(folder: Path) -> None:
    """Kills what still runs for a point and removes its scratch folder."""
    kill_marked(POINT_MARK, folder)
    shutil.rmtree(folder, ignore_errors=True)


def clear_root(root: Path) -> None:
    """Kills everything of an evaluator that has ended, and removes its scratch root.

    It names on standard error the processes that do not end: the kernel keeps a process that waits for a broken disk,
    for example.
    """
    end = time.monotonic() + CLEAR_LIMIT
    while left := kill_marked(ROOT_MARK, root):  # once more, because a killed process may just have started another
        if time.monotonic() > end:
            names = ", ".join(f"{pid} ({running_name(pid)})" for pid in sorted(left))
            with contextlib.suppress(OSError):
                print(f"evaluator: cannot be ended, stuck in the kernel: {names}", file=sys.stderr, flush=True)
            break
        time.sleep(0.02)
    shutil.rmtree(root, ignore_errors=True)


def _folder_of_sockets() -> str:
    """multiprocessing's folder, which it makes when it is first asked for, in a place whose path a socket can have.

    The paths of batch systems (TMPDIR) may be too long. Raises ConfigurationError when no other place will do.
    """
    usual = tempfile.gettempdir()
    if len(os.fsencode(usual)) <= LONGEST_FOR_SOCKETS:
        return util.get_temp_dir()
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108  # a folder of our own is made there
        if os.access(folder, os.W_OK | os.X_OK):
            tempfile.tempdir = folder
            try:
                return util.get_temp_dir()
            finally:
                tempfile.tempdir = usual
    from evaluator.errors import ConfigurationError  # here: the janitor needs the standard library alone

    raise ConfigurationError(
        f"the folder for temporary files, {usual}, has a path too long for the sockets that reach the workers; "
        f"set TMPDIR to one of at most {LONGEST_FOR_SOCKETS} characters"
    )


class ScratchRoot:
    """The folder of an evaluator's scratch files. One at a time in a process.

    When this process ends, the folder is removed and all processes that were started since are ended. A second process,
    the janitor, does this even when this one is killed.
    """

    def __init__(self) -> None:
        resource_tracker.ensure_running()  # before the mark: it serves this process for longer than the root
        self.path = Path(tempfile.mkdtemp(prefix="lodescan-"))
        self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # systemd-tmpfiles leaves a locked folder alone, however old its files are
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        environment = {key: value for key, value in os.environ.items() if key != ROOT_MARK}
        command = [sys.executable, "-m", "evaluator.leftovers", str(self.path), _folder_of_sockets()]
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # which the janitor inherits
        try:
            self._janitor = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C of the terminal must not end it first
                env=environment,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.environ[ROOT_MARK] = str(self.path)  # inherited by all that this process starts
        self._clock = Clock(self.path / CLOCK)

    def close(self) -> None:
        """Ends and removes everything now."""
        self._clock.close()
        os.close(self._held)
        clear_root(self.path)
        self._janitor.communicate(b"closed")
        os.environ.pop(ROOT_MARK, None)


def main() -> None:
    """The janitor: its standard input closes when the evaluator ends. The signals `ENDING` are blocked."""
    closed = sys.stdin.buffer.read()
    clear_root(Path(sys.argv[1]))
    if not closed:  # multiprocessing's folder for sockets, which a process removes when it ends by itself
        shutil.rmtree(sys.argv[2], ignore_errors=True)


if __name__ == "__main__":
    main()
