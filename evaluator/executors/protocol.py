"""What an executor is: it runs jobs, and says whether it can."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from evaluator.errors import EvaluatorLost
from evaluator.executors.job import Job


class Health:
    """Whether an executor can run points. For any thread."""

    def __init__(self) -> None:
        self.error: EvaluatorLost | None = None
        """Why it never can again; the first reason that was reported."""
        self.ready = True
        """False while it has no worker, as long as others are being started."""
        self._on_change: Callable[[], object] | None = None
        self._lock = threading.Lock()

    def report(self, error: EvaluatorLost) -> None:
        """Notes that it can run no more points."""
        with self._lock:
            changed, self.error = self.error is None, self.error or error
        self._tell(changed)

    def set_ready(self, ready: bool) -> None:
        """Notes whether it has a worker at the moment."""
        with self._lock:
            changed, self.ready = self.ready is not ready, ready
        self._tell(changed)

    def tell(self, on_change: Callable[[], object]) -> None:
        """Calls `on_change` at each change, in any thread; and at once if there has been a change already."""
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

    concurrency: int
    """How many points are worked on at once; changes where a cluster grows and shrinks."""

    longest_seconds: float
    """Seconds after which a point that has begun has an outcome; 0.0 where nothing ends it."""

    def submit(self, job: Job) -> None:
        """Takes a job (see Chain.evaluate); it always ends with an Outcome."""

    def cancel(self, job: Job) -> None:
        """Ends a job, even one that is running; its status is then CANCELLED."""

    def drop(self, owner: object) -> None:
        """Forgets the jobs of an owner, all of which were cancelled."""

    def close(self) -> None:
        """Ends everything that runs."""
