"""The process of a worker, whose end any thread may look at."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing import popen_forkserver


class LockedPopen(popen_forkserver.Popen):
    """Lets one thread at a time read the exit code, which comes once through a pipe.

    multiprocessing looks at all processes whenever it starts one. A thread that finds the pipe already read, but the
    code not yet noted, would take the exit code to be 255.
    """

    _lock = threading.Lock()  # one for all: it is held for a few instructions

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        with self._lock:
            return super().poll(flag)


class ForkedProcess(multiprocessing.context.ForkServerProcess):
    """A child of the fork server. Its methods and `exitcode` may be used by several threads at a time."""

    _Popen = staticmethod(LockedPopen)
