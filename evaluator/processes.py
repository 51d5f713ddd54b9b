"""Ends what a point or an evaluator leaves behind, whoever was killed.

Every process of an evaluator carries two marks in its environment: the evaluator's
scratch root and, for the programs of a point, that point's scratch folder. So even a
program that has left its process group is found through /proc. (A mark cannot be lost
with the process that would have recorded a process group.)
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT_MARK = "LODESCAN_SCRATCH"
POINT_MARK = "LODESCAN_POINT"


def kill_marked(mark: str, folder: Path) -> int:
    """Kills every process whose environment has the mark with this folder, itself excepted; returns how many."""
    needle = f"{mark}={folder}".encode()
    killed = 0
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if pid == os.getpid():
            continue
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:  # it ended, or belongs to somebody else
            continue
        if needle in environment.split(b"\0"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed


def clear_point(folder: Path) -> None:
    """Kills what still runs for a point and removes its scratch folder."""
    kill_marked(POINT_MARK, folder)
    shutil.rmtree(folder, ignore_errors=True)


def clear_root(root: Path) -> None:
    """Kills everything of an evaluator that is gone, and removes its scratch root."""
    while kill_marked(ROOT_MARK, root):  # again: a killed process may just have started another
        time.sleep(0.02)
    shutil.rmtree(root, ignore_errors=True)


def start_janitor(root: Path) -> subprocess.Popen[bytes]:
    """Starts a process that waits for this one to end, however it ends, and then clears the root."""
    environment = {key: value for key, value in os.environ.items() if key != ROOT_MARK}
    return subprocess.Popen(
        [sys.executable, "-m", "evaluator.processes", str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C of the terminal must not end it first
        env=environment,
    )


def main() -> None:
    """The janitor: its standard input closes when the evaluator ends."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.buffer.read()
    clear_root(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
