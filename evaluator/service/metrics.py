"""The metrics of an evaluator for `--metrics`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from prometheus_client import Counter

from evaluator.executors.job import Job
from evaluator.service.observers import Caller, Load
from scanspec.metrics import gauge, histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Metrics:
    """An observer that keeps metrics for Prometheus. `codes`: names in the order of an outcome's seconds; `workers`
    gives the present number of workers.
    """

    def __init__(
        self, registry: CollectorRegistry, load: Load, codes: Sequence[str], workers: Callable[[], int]
    ) -> None:
        self._codes = codes
        self._points = Counter("lodescan_evaluator_points", "Points that have ended.", ["status"], registry=registry)
        name = "lodescan_evaluator_code_seconds"
        self._seconds = histogram(registry, name, "Wall time of a code at a point.", "code")

        gauge(registry, "lodescan_evaluator_points_waiting", "Points that no worker has begun.", lambda: load.waiting)
        gauge(registry, "lodescan_evaluator_workers", "Workers.", workers)
        name, text = "lodescan_evaluator_workers_busy", "Workers that have a point."
        gauge(registry, name, text, lambda: min(load.running, workers()))

    def __call__(self, jobs: Sequence[Job], caller: Caller) -> None:
        for job in jobs:
            self._points.labels(job.outcome.status.name).inc()
            for code, seconds in zip(self._codes, job.outcome.seconds, strict=False):
                self._seconds.labels(code).observe(seconds)
