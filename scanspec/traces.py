"""`--traces URL`, the same on both sides: OpenTelemetry spans of points, sent by OTLP over HTTP.

Both sides compute the same ids, so that no message has to carry them for each point: the upper half of a trace id
belongs to the run, the lower half is the point's id, and the span of a point has the id point + 1 (see
EvaluateRequest.trace). Spans are made when a point is over, from times that are recorded anyway. The packages are
imported on demand.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from scanspec.errors import LodescanError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

TIMEOUT = 5.0
"""Seconds that a collector may take to answer."""

NANO = 1_000_000_000


class NoTraces(LodescanError, RuntimeError):
    """`--traces` cannot be sent: packages are missing, or the text is not a URL."""

    next_step = "pip install '.[traces]' in the clone, into this environment, or leave --traces out"


class Spans:
    """Makes the spans of points, and sends them in the background."""

    def __init__(self, tracer: Tracer, ids: Any) -> None:
        self._tracer, self._ids = tracer, ids

    def point(self, trace: int, point: int, times: tuple[float, float], values: Mapping[str, Any]) -> None:
        """Makes the span of a point, which contains all other spans of the point. `times`: its begin and end, in
        seconds since 1970.
        """
        self._ids.trace, self._ids.span = trace_id(trace, point), point + 1
        self._span("point", None, times, values)

    def whole(self, trace: int, point: int) -> Span:
        """The span of a point that the other side makes, as the parent of spans here."""
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

        sampled = TraceFlags(TraceFlags.SAMPLED)
        return NonRecordingSpan(SpanContext(trace_id(trace, point), point + 1, is_remote=True, trace_flags=sampled))

    def part(self, whole: Span, name: str, times: tuple[float, float], values: Mapping[str, Any]) -> Span:
        """Makes a span within another span. `times`: its begin and end, in seconds since 1970."""
        from opentelemetry.trace import set_span_in_context

        return self._span(name, set_span_in_context(whole), times, values)

    def _span(self, name: str, context: Context | None, times: tuple[float, float], values: Mapping[str, Any]) -> Span:
        begun, ended = (int(seconds * NANO) for seconds in times)
        span = self._tracer.start_span(name, context, start_time=begun, attributes=dict(values))
        span.end(ended)
        return span


def trace_id(trace: int, point: int) -> int:
    """The trace id of a point; `trace` is the half that belongs to the run."""
    return trace << 64 | point


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # for example if the port is not a number
        return False


@contextmanager
def sending_traces(url: str | None, service: str) -> Iterator[Spans | None]:
    """Sends spans to a collector at `url`, such as http://127.0.0.1:4318/v1/traces. Without a URL it yields None.

    Raises NoTraces.
    """
    if url is None:
        yield None
        return
    if not _is_url(url):
        raise NoTraces(f"--traces {url!r} is not a URL", next_step="write for example http://127.0.0.1:4318/v1/traces")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError as error:
        raise NoTraces(f"--traces needs OpenTelemetry, which is missing here ({error})") from None

    class Ids(RandomIdGenerator):
        """Random ids, except for the spans of points."""

        trace = span = 0

        def generate_trace_id(self) -> int:
            chosen, self.trace = self.trace, 0
            return chosen or super().generate_trace_id()

        def generate_span_id(self) -> int:
            chosen, self.span = self.span, 0
            return chosen or super().generate_span_id()

    ids = Ids()
    provider = TracerProvider(resource=Resource.create({"service.name": service}), id_generator=ids)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(url, timeout=TIMEOUT)))
    log, once = logging.getLogger(OTLPSpanExporter.__module__), _Once(url)
    log.addFilter(once)
    try:
        yield Spans(provider.get_tracer("lodescan"), ids)
    finally:
        provider.shutdown()
        log.removeFilter(once)


class _Once(logging.Filter):
    """Lets a single message about lost spans pass, in plain words. OpenTelemetry writes several for each batch."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url, self._told = url, False

    def filter(self, record: logging.LogRecord) -> bool:
        told, self._told = self._told, True
        record.name, record.args = "traces", ()
        record.msg = (
            f"the collector at {self._url} takes no spans, so traces are lost, and nothing else. Check the URL, and "
            "that a collector runs there"
        )
        return not told
