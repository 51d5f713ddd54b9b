"""Ends the processes that a point leaves behind, and reports them."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from multiprocessing import forkserver
from typing import Any

from evaluator.leftovers import has_children, parents, running_name

SHARE = 0.02
"""The largest fraction of the time for looking for children, where this is not done after every point."""

ROUNDS = 100
"""The most rounds of ending children: each ended process may leave its own children to this process."""

REAP_LIMIT = 5.0
"""Seconds within which a killed child must be gone; one that is stuck in the kernel is left alone."""

MOST_NAMES = 20
"""The most names of processes that are reported."""

_ADVICE = (
    "To keep a helper from point to point, start it while the module is imported, or hold it as a subprocess.Popen or "
    "multiprocessing.Process (pexpect: popen_spawn.PopenSpawn)"
)


class Children:
    """The children of this process, which must be the parent of its orphans (`adopt_orphans`).

    Two kinds of children belong to no point: those that exist before the first point, and helpers
    that a function keeps from point to point, that is, whose `Popen` or `Process` it still holds.
    Their exit codes are left to the function. All other children are ended, and `say` gets a line
    about them, once for each name.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._first = own_children() if has_children() else set[int]()
        self._held = set[int]()
        self._next = 0.0
        self._say = say
        self._said = set[str]()

    def end_strays_in_time(self) -> None:
        """Calls `end_strays` after each point, or only after some points if it takes long because of many threads."""
        start = time.perf_counter()
        if start >= self._next:
            self.end_strays()
            end = time.perf_counter()
            self._next = end + (end - start) / SHARE

    def end_strays(self) -> bool:
        """Ends and reaps all other children with their descendants; returns whether there were any."""
        if not has_children():
            return False
        found, names = False, set[str]()
        for _ in range(ROUNDS):
            now = own_children()
            self._first &= now
            if not now - self._first - self._held:
                break
            self._held = _held() & now  # looked up only when there is a new child: it takes milliseconds
            if not (strays := now - self._first - self._held):
                break
            found = True
            names |= {name for pid in strays if (name := running_name(pid))}
            self._first |= _end(strays)  # then their children are this process's, and come next
            _forget_fork_server(strays)
        self._tell(names)
        return found

    def _tell(self, names: set[str]) -> None:
        new = sorted(names - self._said)[: max(0, MOST_NAMES - len(self._said))]
        if new:
            self._said.update(new)
            self._say(f"still running after their point, and ended with it: {', '.join(new)}. {_ADVICE}")


def _forget_fork_server(ended: Collection[int]) -> None:
    """Lets the next user of `multiprocessing` start another fork server if Python's own has ended. Python would fail,
    because it expects to wait for the old one itself.
    """
    server: Any = forkserver._forkserver  # noqa: SLF001
    if server._forkserver_pid in ended:  # noqa: SLF001
        os.close(server._forkserver_alive_fd)  # noqa: SLF001
        server._forkserver_pid = server._forkserver_alive_fd = server._forkserver_address = None  # noqa: SLF001


def own_children() -> set[int]:
    """The children of this process, also those that have ended and wait to be reaped."""
    try:
        return {int(pid) for task in os.listdir("/proc/self/task") for pid in _children_of(task)}
    except OSError:  # a thread has ended just now, or the kernel has no such files
        return {pid for pid, parent in parents().items() if parent == os.getpid()}


def _children_of(task: str) -> list[bytes]:
    """The children that a thread of this process has started."""
    descriptor = os.open(f"/proc/self/task/{task}/children", os.O_RDONLY | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        return file.readall().split()


def end_children(but: Collection[int] = ()) -> None:
    """Ends and reaps the children of this process, except `but`, and what they leave to it."""
    stuck = set(but)
    for _ in range(ROUNDS):
        if not (new := own_children() - stuck):
            return
        stuck |= _end(new)


def _end(children: set[int]) -> set[int]:
    """Kills and reaps children; returns those that do not end."""
    for pid in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    return {pid for pid in children if not reap(pid)}


def reap(pid: int) -> bool:
    """Waits for a child that was killed. Returns False if it does not end."""
    end, pause = time.monotonic() + REAP_LIMIT, 0.0
    while time.monotonic() < end:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return True
        except ChildProcessError:
            return True
        time.sleep(pause)
        pause = min(2.0 * pause + 1e-4, 0.05)
    return False


def _held() -> set[int]:
    """The children whose object in Python somebody still holds."""
    unheld = {
        process.pid for process in getattr(subprocess, "_active", ())
    }  # Popen objects that were dropped while their process ran
    held = {process.pid for process in gc.get_objects() if isinstance(process, subprocess.Popen)} - unheld
    for child in multiprocessing.active_children():
        # by something besides the module, the list, this loop and the call
        if sys.getrefcount(child) > 4 and child.pid is not None:
            held.add(child.pid)
    return held - _of_abandoned_pools()


def _of_abandoned_pools() -> set[int]:
    """The processes of each ProcessPoolExecutor that nobody holds any more. Until their tasks end, its own thread holds
    them.
    """
    pools = sys.modules.get("concurrent.futures.process")
    threads: list[Any] = list(getattr(pools, "_threads_wakeups", ()))
    return {pid for thread in threads if thread.executor_reference() is None for pid in list(thread.processes)}
