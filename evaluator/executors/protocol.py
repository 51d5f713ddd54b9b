"""The protocol of executors, which run jobs, and their health."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from evaluator.errors import EvaluatorLost
from evaluator.executors.job import Job, JobQueue


class Health:
    """Whether an executor can run points. Thread-safe."""

    def __init__(self) -> None:
        self.error: EvaluatorLost | None = None
        """The first reason that was reported why it can never run points again."""
        self.ready = True
        """False while it has no worker but is starting some."""
        self._on_change: Callable[[], object] | None = None
        self._lock = threading.Lock()

    def report(self, error: EvaluatorLost) -> None:
        """Notes that it cannot run points any more."""
        with self._lock:
            changed, self.error = self.error is None, self.error or error
        self._tell(changed)

    def set_ready(self, ready: bool) -> None:
        """Notes whether it has a worker at the moment."""
        with self._lock:
            changed, self.ready = self.ready is not ready, ready
        self._tell(changed)

    def tell(self, on_change: Callable[[], object]) -> None:
        """Calls `on_change` at each change, in any thread, and at once if there was a change already."""
        with self._lock:
            self._on_change = on_change
            changed = self.error is not None or not self.ready
        self._tell(changed)

    def _tell(self, changed: bool) -> None:
        if changed and self._on_change is not None:
            self._on_change()


class Executor(Protocol):
    """Runs jobs in workers."""

    health: Health

    queue: JobQueue
    """The jobs that wait. Those of an owner can be held back, released, and dropped."""

    concurrency: int
    """The number of points at once; it changes if a cluster grows or shrinks."""

    longest_seconds: float
    """The longest time in seconds from the beginning of a point to its outcome; 0.0 if there is no limit."""

    def submit(self, *jobs: Job) -> None:
        """Takes jobs (see Chain.evaluate). Each always ends with an Outcome."""

    def cancel(self, job: Job) -> None:
        """Ends a job, even one that is running; its status is then CANCELLED."""

    def close(self) -> None:
        """Ends everything that runs."""
