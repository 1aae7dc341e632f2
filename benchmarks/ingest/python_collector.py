"""
A collector as one would write it in Python: decode each request, gather columns, insert them over the native protocol.

    python -m benchmarks.ingest.python_collector PORT URL BATCH_ROWS

It gives the same rows to the same tables as ours, whose views fill spans, details and latency from ``span_rows``. It
answers before the rows are stored and keeps no log, so that it does less than ours.
"""

import asyncio
import json
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final

import clickhouse_driver
import uvicorn
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.store.address import ServerAddress

_AGE_MAX_S: Final = 1.0
_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUSES: Final = ("unset", "ok", "error")
_TEMPORALITIES: Final = ("unspecified", "delta", "cumulative")
_SPAN_COLUMNS: Final = (
    *("service", "version", "operation", "kind", "ts", "duration_ns", "status", "trace_id", "span_id"),
    *("parent_span_id", "trace_state", "flags", "status_message", "attributes", "resource_attributes", "scope_name"),
    *("scope_version", "events", "links"),
)
_POINT_COLUMNS: Final = (
    *("series_id", "metric", "unit", "type", "monotonic", "temporality", "service", "host", "attributes"),
    *("resource_attributes", "scope_name", "scope_version", "start_ts", "ts", "value"),
)

Row = tuple[Any, ...]


class Table:
    """Gathers rows and inserts them in batches, one after the other."""

    def __init__(self, url: str, name: str, columns: tuple[str, ...], rows_max: int) -> None:
        address = ServerAddress.parse(url)
        self._client = clickhouse_driver.Client(address.host, port=address.port, database=address.database)
        self._statement = f"INSERT INTO {name} ({', '.join(columns)}) VALUES"
        self._rows_max = rows_max
        self._rows: list[Row] = []
        self._changed = threading.Condition()
        self._opened_s = 0.0
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, rows: list[Row]) -> None:
        """Take rows; waits while two batches are full already."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._rows) < 2 * self._rows_max)
            if not self._rows:
                self._opened_s = time.monotonic()
            self._rows += rows
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._is_due, 0.1)
                if not self._is_due():
                    continue
                rows, self._rows = self._rows[: self._rows_max], self._rows[self._rows_max :]
                self._opened_s = time.monotonic()
                self._changed.notify_all()
            columns = list(zip(*rows, strict=True))
            self._client.execute(self._statement, columns, columnar=True)

    def _is_due(self) -> bool:
        age_s = time.monotonic() - self._opened_s
        return len(self._rows) >= self._rows_max or (bool(self._rows) and age_s >= _AGE_MAX_S)


def decode_spans(body: bytes) -> list[Row]:
    """Return the rows of a request, in the order of their columns."""
    rows: list[Row] = []
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = to_map(resource_spans.resource.attributes)
        named = (resource.get("service.name", "unknown_service"), resource.get("service.version", ""))
        for scope_spans in resource_spans.scope_spans:
            scope = (scope_spans.scope.name, scope_spans.scope.version)
            rows.extend(span_row(span, named, resource, scope) for span in scope_spans.spans)
    return rows


def span_row(span: Any, named: Row, resource: dict[str, str], scope: Row) -> Row:
    """Return the row of one span."""
    duration_ns = span.end_time_unix_nano - span.start_time_unix_nano
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    events = [(event.time_unix_nano, event.name, to_map(event.attributes)) for event in span.events]
    links = [
        (link.trace_id.hex(), link.span_id.hex(), link.trace_state, to_map(link.attributes)) for link in span.links
    ]
    return (
        *(*named, span.name, _KINDS[span.kind], span.start_time_unix_nano, duration_ns, _STATUSES[span.status.code]),
        *(*ids, span.trace_state, span.flags, span.status.message, to_map(span.attributes), resource, *scope),
        *(events, links),
    )


def decode_points(body: bytes) -> list[Row]:
    """Return the rows of a request's numbers, in the order of their columns."""
    rows = []
    for resource_metrics in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        resource = to_map(resource_metrics.resource.attributes)
        service, host = resource.get("service.name", "unknown_service"), resource.get("host.name", "")
        resource_key = tuple(sorted(resource.items()))
        for scope_metrics in resource_metrics.scope_metrics:
            scope = scope_metrics.scope
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                monotonic = kind == "sum" and data.is_monotonic
                temporality = _TEMPORALITIES[data.aggregation_temporality] if kind == "sum" else ""
                shared = (metric.name, metric.unit, kind, monotonic, temporality)
                for point in data.data_points:
                    attributes = to_map(point.attributes)
                    series = hash((*shared, scope.name, scope.version, resource_key, tuple(sorted(attributes.items()))))
                    rows.append(
                        (
                            *(series % 2**64, *shared, service, host, attributes, resource, scope.name, scope.version),
                            *(point.start_time_unix_nano // 10**6, point.time_unix_nano // 10**6),
                            float(point.as_int) if point.HasField("as_int") else point.as_double,
                        )
                    )
    return rows


def to_map(attributes: Iterable[Any]) -> dict[str, str]:
    """Return attributes as texts."""
    return {pair.key: text_of(pair.value) for pair in attributes}


def text_of(value: Any) -> str:
    """Return a value as text."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind in {"int_value", "double_value"}:
        return str(getattr(value, kind))
    return json.dumps(str(value))


class Application:
    """The paths of OTLP."""

    def __init__(self, url: str, rows_max: int) -> None:
        self._signals: dict[str, tuple[Callable[[bytes], list[Row]], Table]] = {
            "/v1/traces": (decode_spans, Table(url, "span_rows", _SPAN_COLUMNS, rows_max)),
            "/v1/metrics": (decode_points, Table(url, "metric_rows", _POINT_COLUMNS, rows_max)),
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        parts, more = [], True
        while more:
            message = await receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        await asyncio.to_thread(self._take, scope["path"], b"".join(parts))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _take(self, path: str, payload: bytes) -> None:
        decode, table = self._signals[path]
        table.add(decode(zlib.decompress(payload, 31)))


if __name__ == "__main__":
    uvicorn.run(
        Application(sys.argv[2], int(sys.argv[3])), port=int(sys.argv[1]), lifespan="off", log_level="error", ws="none"
    )
