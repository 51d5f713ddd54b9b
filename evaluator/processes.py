"""Ends what a point or an evaluator leaves behind, whoever was killed.

Every process of an evaluator carries marks in its environment: the evaluator's scratch
root, the worker it comes from, and, for the programs of a point, that point's scratch
folder. So even a program that has left its process group and its session is found through
/proc. (A mark cannot be lost with the process that would have recorded a process group.)
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker, util
from pathlib import Path

ROOT_MARK = "LODESCAN_SCRATCH"
WORKER_MARK = "LODESCAN_WORKER"
POINT_MARK = "LODESCAN_POINT"

_PR_SET_CHILD_SUBREAPER = 36


def kill_marked(mark: str, value: str | Path) -> list[int]:
    """Kills every process whose environment has this mark, itself excepted; returns their numbers."""
    needle = f"{mark}={value}".encode()
    return [pid for pid, environment in _processes() if needle in environment and _kill(pid)]


def kill_worker(root: Path, worker: str, session: int) -> None:
    """Kills a worker and all that comes from it: by its mark, or, where it only forked, by its session."""
    root_mark, worker_mark = f"{ROOT_MARK}={root}".encode(), f"{WORKER_MARK}={worker}".encode()
    for pid, environment in _processes():
        if worker_mark in environment or (root_mark in environment and _session(pid) == session):
            _kill(pid)


def _processes() -> Iterator[tuple[int, list[bytes]]]:
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with (
            contextlib.suppress(OSError),
            open(f"/proc/{entry.name}/environ", "rb") as file,
        ):  # it ended, or is not ours
            yield int(entry.name), file.read().split(b"\0")


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
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


def has_children() -> bool:
    """Whether this process has a child, running or not yet waited for. Takes microseconds, unlike a walk of /proc."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def clear_point(folder: Path) -> None:
    """Kills what still runs for a point and removes its scratch folder."""
    for pid in kill_marked(POINT_MARK, folder):
        with contextlib.suppress(ChildProcessError):  # not ours to wait for
            os.waitpid(pid, 0)
    shutil.rmtree(folder, ignore_errors=True)


def clear_root(root: Path) -> None:
    """Kills everything of an evaluator that is gone, and removes its scratch root."""
    while kill_marked(ROOT_MARK, root):  # again: a killed process may just have started another
        time.sleep(0.02)
    shutil.rmtree(root, ignore_errors=True)


class ScratchRoot:
    """The folder of an evaluator's scratch files. It and all processes begun since are gone once this process is.

    A second process, the janitor, sees to that even when this one is killed. One root at a time in a process.
    """

    def __init__(self) -> None:
        resource_tracker.ensure_running()  # before the mark: it serves this process for longer than the root
        self.path = Path(tempfile.mkdtemp(prefix="lodescan-"))
        environment = {key: value for key, value in os.environ.items() if key != ROOT_MARK}
        self._janitor = subprocess.Popen(
            [sys.executable, "-m", "evaluator.processes", str(self.path), util.get_temp_dir()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C of the terminal must not end it first
            env=environment,
        )
        os.environ[ROOT_MARK] = str(self.path)  # inherited by all that this process starts

    def close(self) -> None:
        """Ends and removes everything now."""
        clear_root(self.path)
        self._janitor.communicate(b"closed")
        os.environ.pop(ROOT_MARK, None)


def main() -> None:
    """The janitor: its standard input closes when the evaluator ends."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    closed = sys.stdin.buffer.read()
    clear_root(Path(sys.argv[1]))
    if not closed:  # multiprocessing's folder for sockets, which a process removes when it ends by itself
        shutil.rmtree(sys.argv[2], ignore_errors=True)


if __name__ == "__main__":
    main()
