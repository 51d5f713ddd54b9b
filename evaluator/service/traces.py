"""The traces of an evaluator for `--traces`: a span for each point that has run, with a span for each of its codes."""

from __future__ import annotations

from collections.abc import Sequence

from evaluator.executors.job import Job
from evaluator.service.observers import Caller
from scanspec.traces import Spans


class Traces:
    """An observer that makes spans, if the client has given a trace id."""

    def __init__(self, spans: Spans, codes: Sequence[str]) -> None:
        self._spans, self._codes = spans, codes

    def __call__(self, jobs: Sequence[Job], caller: Caller) -> None:
        for job in jobs:
            if not caller.trace or not job.begun_at:
                continue
            values = {
                "lodescan.run": caller.run,
                "lodescan.batch": job.batch,
                "lodescan.point": job.point_id,
                "lodescan.status": job.outcome.status.name,
            }
            whole = self._spans.whole(caller.trace, job.point_id)
            span = self._spans.part(whole, "evaluate", (job.begun_at, job.ended_at), values)
            begun = job.begun_at
            for code, seconds in zip(self._codes, job.outcome.seconds, strict=False):
                self._spans.part(span, code, (begun, begun + seconds), {})
                begun += seconds
