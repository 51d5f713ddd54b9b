"""The metrics of a scan for `--metrics`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import Counter

from proposer.evaluation.backend import Load
from proposer.show.tally import Tally
from proposer.types import Outcome
from scanspec.metrics import gauge, histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class Metrics:
    """A watcher that keeps metrics for Prometheus. `codes`: names in the order of an outcome's seconds; `load` gives
    the present load of the evaluators; `dataset` is the dataset's file.
    """

    def __init__(
        self, registry: CollectorRegistry, tally: Tally, load: Callable[[], Load], codes: Sequence[str], dataset: Path
    ) -> None:
        self._codes = codes
        self._points = Counter(
            "lodescan_points", "Points that were answered.", ["status", "evaluator"], registry=registry
        )
        self._seconds = histogram(registry, "lodescan_code_seconds", "Wall time of a code at a point.", "code")
        self._batches = Counter("lodescan_batches", "Batches of points that were asked for.", registry=registry)
        self._training = Counter("lodescan_training_seconds", "Time in which the search trained.", registry=registry)
        self._choosing = Counter(
            "lodescan_choosing_seconds", "Time in which it chose points, without training.", registry=registry
        )

        gauge(registry, "lodescan_good_points", "Good points so far.", lambda: tally.good)
        gauge(registry, "lodescan_good_points_wanted", "Good points at which the scan stops.", lambda: tally.wanted)
        gauge(registry, "lodescan_hit_rate", "Good points per evaluated point.", lambda: tally.hit_rate or 0.0)
        gauge(registry, "lodescan_points_waiting", "Points that no worker has begun.", lambda: load().waiting)
        gauge(registry, "lodescan_evaluators", "Evaluators that take part.", lambda: load().evaluators)
        gauge(registry, "lodescan_workers", "Workers of these evaluators.", lambda: load().workers)
        gauge(registry, "lodescan_workers_busy", "Workers that have a point.", lambda: load().busy)
        gauge(registry, "lodescan_dataset_bytes", "Size of the dataset, with SQLite's journal.", lambda: _size(dataset))

    def asked(self, batch: int, iteration: int, points: int) -> None:
        self._batches.inc()

    def answered(self, outcomes: Sequence[Outcome], batches: Sequence[int]) -> None:
        for outcome in outcomes:
            self._points.labels(outcome.status.name, outcome.evaluator).inc()
            for code, seconds in zip(self._codes, outcome.seconds, strict=False):
                self._seconds.labels(code).observe(seconds)

    def thought(self, seconds: float, training: float) -> None:
        self._training.inc(training)
        self._choosing.inc(max(seconds - training, 0.0))


def _size(dataset: Path) -> int:
    size = 0
    for path in dataset.parent.glob(f"{dataset.name}*"):
        with suppress(FileNotFoundError):  # SQLite removes its journal at any time
            size += path.stat().st_size
    return size
