"""The collector's traces of itself: a span for each request of the query API, and in it one for each query."""

import contextlib
import time
from collections.abc import Iterator
from typing import Annotated, Final

from msgspec import Meta, Struct
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NoOpTracer, SpanKind, Tracer

from pyrometer import __version__
from pyrometer.units import NS_PER_S

# Spans that wait to be sent; more are dropped.
_QUEUE_SPANS_MAX: Final = 2048
_EXPORT_TIMEOUT_S: Final = 5


class TracesSettings(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where the collector sends its own traces: nowhere, unless an address is set."""

    endpoint: Annotated[str, Meta(pattern=r"^(https?://\S+)?$")] = ""
    ratio: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0


@contextlib.contextmanager
def own_tracer(settings: TracesSettings) -> Iterator[Tracer]:
    """Give a tracer for the length of a with block: one that does nothing where no address is set."""
    if not settings.endpoint:
        yield NoOpTracer()
        return
    provider = TracerProvider(
        resource=Resource.create({"service.name": "pyrometer-collector", "service.version": __version__}),
        sampler=ParentBased(TraceIdRatioBased(settings.ratio)),
    )
    exporter = OTLPSpanExporter(endpoint=settings.endpoint, timeout=_EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUE_SPANS_MAX))
    try:
        yield provider.get_tracer("pyrometer.collector", __version__)
    finally:
        provider.shutdown()


def record_query(tracer: Tracer, name: str, seconds: float) -> None:
    """Record a query that has just ended, under the span of the request that it was for."""
    end_ns = time.time_ns()
    span = tracer.start_span(
        f"query {name}",
        kind=SpanKind.CLIENT,
        attributes={"db.system.name": "clickhouse", "db.query.summary": name},
        start_time=end_ns - int(seconds * NS_PER_S),
    )
    span.end(end_ns)
