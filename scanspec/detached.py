"""Starts a process that outlives this one, to write on its behalf."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def start_detached(work: Callable[[], object], descriptors: set[int]) -> None:
    """Runs `work` in another process, in which only these descriptors are open. It is not a child of this
    process, because a code may wait for all children. The signals that end this process do not end it, except SIGKILL;
    it must end by itself.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # none may arrive there before it is ignored
    try:
        between = os.fork()
        if between == 0:
            try:
                if os.fork() == 0:
                    for number in ENDING:
                        signal.signal(number, signal.SIG_IGN)
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                    for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - descriptors:
                        with contextlib.suppress(OSError):  # the folder itself is closed already
                            os.close(descriptor)
                    work()
            finally:
                os._exit(0)
        os.waitpid(between, 0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
