"""The traces of a scan for `--traces`: a span for each point, from its sending to its return."""

from __future__ import annotations

import math
from collections.abc import Sequence

from proposer.types import Outcome
from scanspec.traces import Spans


class Traces:
    """A watcher that makes spans. `trace`: the upper half of all trace ids of the run."""

    def __init__(self, spans: Spans, run: str, trace: int) -> None:
        self._spans, self._run, self._trace = spans, run, trace

    def asked(self, batch: int, iteration: int, points: int) -> None:
        pass

    def answered(self, outcomes: Sequence[Outcome], batches: Sequence[int]) -> None:
        for outcome, batch in zip(outcomes, batches, strict=True):
            if math.isnan(outcome.sent) or math.isnan(outcome.returned):
                continue
            values = {
                "lodescan.run": self._run,
                "lodescan.batch": batch,
                "lodescan.point": outcome.id,
                "lodescan.evaluator": outcome.evaluator,
                "lodescan.status": outcome.status.name,
            }
            self._spans.point(self._trace, outcome.id, (outcome.sent, outcome.returned), values)

    def thought(self, seconds: float, training: float) -> None:
        pass
