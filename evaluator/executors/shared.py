"""What the workers of one executor share."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from evaluator.chain import Chain
from evaluator.executors.job import JobQueue
from evaluator.executors.protocol import Health
from evaluator.executors.scratch import ScratchLimit
from evaluator.executors.watch import Watch
from evaluator.leftovers import parents

GRACE = 2.0
"""Seconds beyond its deadline after which a worker that does not notice is ended."""

FORK_LIMIT = 60.0
"""Seconds within which a fork server that has started a worker before starts another one."""


class Shared:
    """What the workers of one executor share."""

    def __init__(
        self,
        chain: Chain,
        root: Path,
        *,
        queue: JobQueue,
        health: Health,
        watch: Watch,
        count: int,
        say: Callable[[str], object],
    ) -> None:
        self.chain, self.root, self.queue = chain, root, queue
        self.health, self.watch, self.count = health, watch, count
        self.limits = time_limits(chain)
        self.scratch = ScratchLimit(root, count)
        self._missing = set[int]()
        self._say, self._said = say, set[str]()
        self._lock = threading.Lock()
        self.census = threading.Lock()
        """Held while a worker begins or is ended. Processes that become children of the fork server meanwhile are
        orphans.
        """
        self.fork_server = 0
        self.not_orphans: set[int] = set()

    def set_missing(self, number: int, missing: bool) -> None:
        """Notes whether a worker is missing. If all are, the executor is not ready."""
        with self._lock:
            (self._missing.add if missing else self._missing.discard)(number)
            self.health.set_ready(len(self._missing) < self.count)  # in the lock: the last one has the last word

    def say(self, text: str) -> None:
        """Gives the user a message once, even if several workers report it. Does nothing for an empty text."""
        with self._lock:
            new = bool(text) and text not in self._said
            self._said.add(text)
        if new:
            self._say(text)

    @contextlib.contextmanager
    def forking(self) -> Iterator[None]:
        """A context for starting a worker. If the fork server does not react within FORK_LIMIT, perhaps because
        somebody has stopped it, it is ended, and its callers get an error. The next start makes another one.
        """
        timer = threading.Timer(FORK_LIMIT, self._end_fork_server)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end_fork_server(self) -> None:
        if parents().get(self.fork_server) == os.getpid():  # not a new one, which is importing the codes
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.fork_server, signal.SIGKILL)

    def add(self, worker: int) -> None:
        """Notes that a worker has started."""
        parent = parents().get(worker, 0)
        if parent != self.fork_server:  # a new fork server; processes that the import of the codes has started stay
            self.fork_server = parent
            self.not_orphans = {pid for pid, above in parents().items() if above == parent}
        self.not_orphans.add(worker)


def time_limits(chain: Chain) -> list[float]:
    """For each code, the seconds that it may take before its worker is ended."""
    return [step.code.deadline.longest + GRACE for step in chain.steps]
