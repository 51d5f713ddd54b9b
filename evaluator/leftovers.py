"""Ends the processes, and removes the files, that a point or an evaluator leaves behind, also if it was killed.

Every process of an evaluator has marks in its environment: the evaluator's scratch root, its worker, and, for the
programs of a point, the point's scratch folder. So even a program that has left its process group and its session is
found through /proc. (A process group would have to be recorded by a process, and be lost with it.)
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from multiprocessing import resource_tracker, util
from pathlib import Path
from typing import NamedTuple

from evaluator.clock import Clock
from evaluator.files import remove_tree

ROOT_MARK = "LODESCAN_SCRATCH"
WORKER_MARK = "LODESCAN_WORKER"
POINT_MARK = "LODESCAN_POINT"

CLOCK = "clock"
"""The file with the evaluator's running time, in its scratch root."""

CLEAR_LIMIT = 10.0
"""Seconds to wait for the end of killed processes. A process that is stuck in the kernel is then only reported."""

LONGEST_FOR_SOCKETS = 70
"""The longest path of a folder, in bytes, for sockets. The system allows 107 with the name of the socket."""

ENDING = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
"""The signals by which people, terminals, and batch systems end an evaluator in order. They may be sent to all its
processes at once, but only the main process handles them.
"""

# that of `os` raises an error where there is no child, which takes twice as long
_waitid: Callable[..., int] = ctypes.PyDLL(None).waitid
_STATE = ctypes.create_string_buffer(128)  # C's siginfo_t

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def outlast_endings() -> None:
    """Makes the signals `ENDING` do nothing in this process, because the evaluator ends its processes in order. Call it
    in the main thread.

    They have a handler that does nothing, because programs would inherit an ignored signal.
    """
    for number in ENDING:
        signal.signal(number, _do_nothing)
    let_forks_end()


def _do_nothing(*_: object) -> None:
    pass


def let_forks_end() -> None:
    """Makes forked children lose the present handlers of the signals `ENDING`, because multiprocessing ends its
    processes with SIGTERM, and asyncio would mistake a child's signal for its own.
    """
    ours = {number: signal.getsignal(number) for number in ENDING}
    mask = threading.local()

    def hold() -> None:  # a signal that the child got before `forget` would be lost
        mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask.before)

    def forget() -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in ours.items():
            if callable(handler) and signal.getsignal(number) is handler:
                signal.signal(number, signal.SIG_DFL)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=forget)


def kill_marked(mark: str, value: str | Path) -> set[int]:
    """Kills every process whose environment has this mark, and all descendants of these processes, except this process.

    Returns the killed processes.
    """
    needle = os.fsencode(f"{mark}={value}")
    return _kill_trees(lambda process: needle in process.environment())


def kill_worker(root: Path, worker: str, session: int, orphans_of: int, others: Collection[int]) -> None:
    """Kills a worker and all processes that it has started.

    These processes have the mark of the worker, or its session if they were only forked. Orphans of the worker belong
    to the fork server `orphans_of`, whose other children are the `others`, and processes in its own session.
    """
    root_mark, worker_mark = os.fsencode(f"{ROOT_MARK}={root}"), os.fsencode(f"{WORKER_MARK}={worker}")
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
        """The environment of a process; empty if the process has ended or belongs to another user."""
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
    """The program that a process runs, with its first argument if that is a script; empty if the process has ended."""
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


def cleans_up(pid: int) -> bool:
    """Whether a process only waits for the end of others, to clear up after them: a janitor, or Python's own tracker of
    shared memory. It ends by itself.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(1000)
    except OSError:
        return False
    return b"evaluator.leftovers" in words or b"multiprocessing.resource_tracker" in words


def _with_descendants(roots: set[int], parents: Mapping[int, int]) -> set[int]:
    """The `roots` and all their descendants; `parents` is the parent of every process."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
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


def adopt_orphans(adopt: bool = True) -> None:
    """From now on, this process becomes the parent of each descendant whose own parent ends (see `has_children`); with
    `adopt=False`, no longer.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


@contextlib.contextmanager
def adopting_orphans() -> Iterator[None]:
    """A context in which this process adopts orphans."""
    adopt_orphans()
    try:
        yield
    finally:
        adopt_orphans(False)


def end_with_parent(parent: int) -> None:
    """Makes the kernel kill this process when its parent ends. Ends this process if the parent has already ended."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def has_children() -> bool:
    """Whether this process has a child, running or not yet waited for. Takes less than a microsecond, unlike a walk of
    /proc.
    """
    return _waitid(os.P_ALL, 0, _STATE, os.WEXITED | os.WNOHANG | os.WNOWAIT) == 0


def clear_point(folder: Path) -> None:
    """Kills the processes of a point, and removes its scratch folder."""
    kill_marked(POINT_MARK, folder)
    remove_tree(folder)


def clear_root(root: Path) -> None:
    """Kills all processes of an evaluator that has ended, and removes its scratch root.

    Processes that do not end are reported on standard error, for example a process that waits in the kernel for a
    broken disk.
    """
    end = time.monotonic() + CLEAR_LIMIT
    while left := kill_marked(ROOT_MARK, root):  # again, because a killed process may just have started another one
        if time.monotonic() > end:
            names = ", ".join(f"{pid} ({running_name(pid)})" for pid in sorted(left))
            with contextlib.suppress(OSError):
                why = "processes cannot be ended because they wait in the kernel"
                print(f"evaluator: {why}: {names}", file=sys.stderr, flush=True)
            break
        time.sleep(0.02)
    remove_tree(root)


def _folder_of_sockets() -> str:
    """multiprocessing's temporary folder, which is made at its first use, with a path that is short enough for sockets.

    The paths of batch systems (TMPDIR) may be too long. Raises ConfigurationError if there is no other folder.
    """
    usual = tempfile.gettempdir()
    if len(os.fsencode(usual)) <= LONGEST_FOR_SOCKETS:
        return util.get_temp_dir()
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108  # lodescan makes its own folder there
        if os.access(folder, os.W_OK | os.X_OK):
            tempfile.tempdir = folder
            try:
                return util.get_temp_dir()
            finally:
                tempfile.tempdir = usual
    # imported here, because the janitor needs only the standard library
    from evaluator.errors import ConfigurationError

    raise ConfigurationError(
        f"the folder for temporary files, {usual}, has a path too long for the sockets that reach the workers; "
        f"set TMPDIR to one of at most {LONGEST_FOR_SOCKETS} characters"
    )


class ScratchRoot:
    """The folder of an evaluator's scratch files. A process can have one at a time.

    When this process ends, the folder is removed and all processes started since then are ended. A second process, the
    janitor, does this even if this process is killed.
    """

    def __init__(self) -> None:
        resource_tracker.ensure_running()  # before the mark is set, because the tracker outlives the root
        self.path = Path(tempfile.mkdtemp(prefix="lodescan-"))
        self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        with contextlib.suppress(OSError):  # systemd-tmpfiles does not clean a locked folder
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        environment = {key: value for key, value in os.environ.items() if key != ROOT_MARK}
        command = [sys.executable, "-m", "evaluator.leftovers", str(self.path), _folder_of_sockets()]
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # the janitor inherits this
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
        os.environ[ROOT_MARK] = str(self.path)  # inherited by all processes started from here
        self._clock = Clock(self.path / CLOCK)

    def close(self) -> None:
        """Ends all processes and removes the folder now."""
        self._clock.close()
        os.close(self._held)
        clear_root(self.path)
        self._janitor.communicate(b"closed")
        os.environ.pop(ROOT_MARK, None)


def main() -> None:
    """Runs the janitor. Its standard input closes when the evaluator ends. The signals `ENDING` are blocked."""
    closed = sys.stdin.buffer.read()
    clear_root(Path(sys.argv[1]))
    if not closed:  # a killed evaluator has not removed multiprocessing's folder for sockets
        remove_tree(sys.argv[2])


if __name__ == "__main__":
    main()
