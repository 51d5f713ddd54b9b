"""The options --metrics, --traces, and --log-format of a scan, and their watchers."""

from __future__ import annotations

import argparse
import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proposer.evaluation.backend import Description
from proposer.show.tally import Tally
from proposer.show.voice import say
from proposer.show.watcher import EventLog, Watcher
from proposer.wire.pool import Pool
from proposer.wire.security import Security
from scanspec.events import in_json
from scanspec.metrics import serving_metrics, watch_certificates
from scanspec.traces import sending_traces

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from scanspec.traces import Spans


@dataclass(frozen=True)
class Wanted:
    """The wanted observers: HOST:PORT for metrics, and the URL of a collector of traces; None if not wanted."""

    metrics: str | None = None
    traces: str | None = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Wanted:
        """Reads the options of a command."""
        return cls(options.metrics, options.traces)


NOTHING = Wanted()


class Watching:
    """Opens the wanted observers for the run with a name. `trace` is the run's half of all its trace ids, 0 without
    traces.

    Raises UsageError, NoMetrics, and NoTraces, before any file of a run is written.
    """

    def __init__(self, opened: ExitStack, wanted: Wanted, security: Security, run: str) -> None:
        self._run = run
        self._registry: CollectorRegistry | None = opened.enter_context(serving_metrics(wanted.metrics, say))
        self._spans: Spans | None = opened.enter_context(sending_traces(wanted.traces, "lodescan-proposer"))
        self.trace = secrets.randbits(63) + 1 if self._spans is not None else 0
        if self._registry is not None:
            files = (security.ca, security.cert)
            watch_certificates(self._registry, "lodescan_certificate_expiry_timestamp_seconds", files)

    def watchers(self, pool: Pool, tally: Tally, description: Description, dataset: Path) -> list[Watcher]:
        """The watchers of a scan with this pool."""
        found: list[Watcher] = [EventLog()] if in_json() else []
        if self._registry is not None:
            from proposer.show.metrics import Metrics  # imported here, because its package is an extra

            found.append(Metrics(self._registry, tally, lambda: pool.load, description.codes, dataset))
        if self._spans is not None:
            from proposer.show.traces import Traces

            found.append(Traces(self._spans, self._run, self.trace))
        return found
