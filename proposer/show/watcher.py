"""Watchers of a scan besides its display: the log of events, metrics and traces."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from proposer.types import Outcome, Status
from scanspec.events import event


class Watcher(Protocol):
    """Is called when something happens in a scan, in the scan's thread; `thought` is called in the
    strategy's thread.
    """

    def asked(self, batch: int, iteration: int, points: int) -> None:
        """A new batch of `points` points was stored, and will now be handed out."""
        ...

    def answered(self, outcomes: Sequence[Outcome], batches: Sequence[int]) -> None:
        """New results have arrived; `batches`: the batch number of each point."""
        ...

    def thought(self, seconds: float, training: float) -> None:
        """The strategy was asked; this took `seconds`, of which `training` seconds were training."""
        ...


class EventLog:
    """Writes the events `batch`, `point` and `ask`: see docs/observing.md."""

    def asked(self, batch: int, iteration: int, points: int) -> None:
        event("batch", batch=batch, iteration=iteration, points=points)

    def answered(self, outcomes: Sequence[Outcome], batches: Sequence[int]) -> None:
        for outcome, batch in zip(outcomes, batches, strict=True):
            failed = {"code": outcome.failed_code, "text": outcome.message} if outcome.status is not Status.OK else {}
            level = logging.WARNING if outcome.status in (Status.FAILED, Status.TIMED_OUT) else logging.INFO
            event(
                "point",
                level,
                batch=batch,
                point=outcome.id,
                evaluator=outcome.evaluator,
                status=outcome.status.name,
                nll=outcome.nll,
                seconds=sum(outcome.seconds),
                **failed,
            )

    def thought(self, seconds: float, training: float) -> None:
        event("ask", seconds=seconds, training=training)
