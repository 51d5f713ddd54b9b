"""Observers of an evaluator's points: the log of events, metrics and traces."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from evaluator.chain import Status
from evaluator.executors.job import Job
from scanspec.events import event


class Caller(Protocol):
    """The client of a stream: its run, and the upper half of the run's trace ids (0: none)."""

    run: str
    trace: int


class Load(Protocol):
    """Points of all streams: those that no worker has begun, and those that run."""

    @property
    def waiting(self) -> int: ...

    @property
    def running(self) -> int: ...


Observer = Callable[[Sequence[Job], Caller], None]
"""Is called with jobs that have ended, in the server's thread."""


def log_points(jobs: Sequence[Job], caller: Caller) -> None:
    """Writes the event `point`: see docs/observing.md."""
    for job in jobs:
        outcome = job.outcome
        ended = {} if outcome.status is Status.OK else {"code": outcome.failed_code, "text": outcome.message}
        failed = outcome.status in (Status.FAILED, Status.TIMED_OUT, Status.KILLED)
        event(
            "point",
            logging.WARNING if failed else logging.INFO,
            run=caller.run,
            batch=job.batch,
            point=job.point_id,
            status=outcome.status.name,
            seconds=sum(outcome.seconds),
            **ended,
        )
