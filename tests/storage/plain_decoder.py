"""OTLP requests to the rows that the store should hold, written the plain way: what the views are checked against."""

import base64
import json
import math

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
STATUSES = {1: "ok", 2: "error"}
TEMPORALITIES = {1: "delta", 2: "cumulative"}


def number_text(value: float) -> str:
    """As ClickHouse writes a float: the shortest digits, without a trailing ``.0``."""
    text = repr(value)
    return text.removesuffix(".0")


def scalar_json(value) -> str:
    match value.WhichOneof("value"):
        case "string_value":
            return json.dumps(value.string_value, ensure_ascii=False).replace("/", "\\/")
        case "int_value" | "bool_value" as member:
            return json.dumps(getattr(value, member))
        case "double_value":
            return number_text(value.double_value)
        case "bytes_value":
            return bytes_json(value.bytes_value)
        case "array_value" | "kvlist_value" as member:
            return f'{{"protobuf":{bytes_json(getattr(value, member).SerializeToString())}}}'
    return "null"


def bytes_json(content: bytes) -> str:
    return json.dumps(base64.b64encode(content).decode()).replace("/", "\\/")


def any_text(value) -> str:
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "array_value":
            return "[" + ",".join(scalar_json(item) for item in value.array_value.values) + "]"
        case "kvlist_value":
            pairs = (
                f"{json.dumps(p.key, ensure_ascii=False)}:{scalar_json(p.value)}" for p in value.kvlist_value.values
            )
            return "{" + ",".join(pairs) + "}"
        case None:
            return ""
    return scalar_json(value)


def to_map(attributes) -> dict[str, str]:
    return {pair.key: any_text(pair.value) for pair in attributes}


def digits(text: str) -> int:
    return int(text) if text.isdigit() else 0


def span_rows(request: ExportTraceServiceRequest) -> list[dict]:
    """One dict per span with the columns of spans and span_details."""
    rows = []
    for resource in request.resource_spans:
        of_resource = to_map(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                attributes = to_map(span.attributes)
                rows.append(
                    {
                        "service": of_resource.get("service.name") or "unknown_service",
                        "version": of_resource.get("service.version", ""),
                        "operation": span.name,
                        "kind": KINDS.get(span.kind, "unspecified"),
                        "ts": span.start_time_unix_nano,
                        "duration_ns": max(0, span.end_time_unix_nano - span.start_time_unix_nano),
                        "status": STATUSES.get(span.status.code, "unset"),
                        "trace_id": span.trace_id.hex(),
                        "span_id": span.span_id.hex(),
                        "parent_span_id": span.parent_span_id.hex(),
                        "host": of_resource.get("host.name", ""),
                        "pid": digits(of_resource.get("process.pid", "")),
                        "thread_id": digits(attributes.get("thread.id", "")),
                        "trace_state": span.trace_state,
                        "flags": span.flags,
                        "status_message": span.status.message,
                        "attributes": attributes,
                        "resource_attributes": of_resource,
                        "scope_name": scope.scope.name,
                        "scope_version": scope.scope.version,
                        "scope_attributes": to_map(scope.scope.attributes),
                        "resource_schema_url": resource.schema_url,
                        "scope_schema_url": scope.schema_url,
                        "dropped_resource_attributes": resource.resource.dropped_attributes_count,
                        "dropped_scope_attributes": scope.scope.dropped_attributes_count,
                        "dropped_event_attributes": [event.dropped_attributes_count for event in span.events],
                        "dropped_link_attributes": [link.dropped_attributes_count for link in span.links],
                        "link_flags": [link.flags for link in span.links],
                        "events": [[e.time_unix_nano, e.name, to_map(e.attributes)] for e in span.events],
                        "links": [
                            [link.trace_id.hex(), link.span_id.hex(), link.trace_state, to_map(link.attributes)]
                            for link in span.links
                        ],
                        "dropped": [
                            span.dropped_attributes_count,
                            span.dropped_events_count,
                            span.dropped_links_count,
                        ],
                    }
                )
    return rows


def log_rows(request: ExportLogsServiceRequest) -> list[dict]:
    """One dict per log record with the columns of logs."""
    rows = []
    for resource in request.resource_logs:
        of_resource = to_map(resource.resource.attributes)
        rows += [
            {
                "service": of_resource.get("service.name") or "unknown_service",
                "version": of_resource.get("service.version", ""),
                "host": of_resource.get("host.name", ""),
                "ts": record.time_unix_nano or record.observed_time_unix_nano,
                "observed_ts": record.observed_time_unix_nano,
                "severity": record.severity_number,
                "severity_text": record.severity_text,
                "event_name": record.event_name,
                "body": any_text(record.body),
                "trace_id": record.trace_id.hex(),
                "span_id": record.span_id.hex(),
                "flags": record.flags,
                "attributes": to_map(record.attributes),
                "resource_attributes": of_resource,
                "scope_name": scope.scope.name,
                "scope_version": scope.scope.version,
                "scope_attributes": to_map(scope.scope.attributes),
                "resource_schema_url": resource.schema_url,
                "scope_schema_url": scope.schema_url,
                "dropped_attributes": record.dropped_attributes_count,
                "dropped_resource_attributes": resource.resource.dropped_attributes_count,
                "dropped_scope_attributes": scope.scope.dropped_attributes_count,
            }
            for scope in resource.scope_logs
            for record in scope.log_records
        ]
    return rows


def latency_rows(rows: list[dict]) -> dict[tuple, tuple[int, int, int]]:
    """(service, version, operation, kind, bucket, hist_index) to (count, errors, duration_ns)."""
    sums: dict[tuple, tuple[int, int, int]] = {}
    for row in rows:
        seconds = row["ts"] // 10**9
        index = math.floor(math.log2(max(row["duration_ns"], 1)) * 16)
        key = (*(row[name] for name in ("service", "version", "operation", "kind")), seconds - seconds % 10, index)
        count, errors, duration = sums.get(key, (0, 0, 0))
        sums[key] = (count + 1, errors + (row["status"] == "error"), duration + row["duration_ns"])
    return sums


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def metric_rows(request: ExportMetricsServiceRequest) -> list[dict]:
    """One dict per data point that has a value, with its series."""
    rows = []
    for resource in request.resource_metrics:
        of_resource = to_map(resource.resource.attributes)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind)
                for point in data.data_points:
                    if point.flags & 1:
                        continue
                    rows.append(
                        {
                            "metric": metric.name,
                            "description": metric.description,
                            "unit": metric.unit,
                            "type": "histogram" if kind == "exponential_histogram" else kind,
                            "monotonic": kind == "sum" and data.is_monotonic,
                            "temporality": _temporality(kind, data),
                            "service": of_resource.get("service.name") or "unknown_service",
                            "host": of_resource.get("host.name", ""),
                            "attributes": to_map(point.attributes),
                            "resource_attributes": of_resource,
                            "scope_name": scope.scope.name,
                            "scope_version": scope.scope.version,
                            "scope_attributes": to_map(scope.scope.attributes),
                            "resource_schema_url": resource.schema_url,
                            "scope_schema_url": scope.schema_url,
                            "start_ts": point.start_time_unix_nano // 10**6,
                            "ts": point.time_unix_nano // 10**6,
                            **_values(kind, point),
                        }
                    )
    return rows


def _temporality(kind, data) -> str:
    if kind == "gauge":
        return ""
    return "cumulative" if kind == "summary" else TEMPORALITIES.get(data.aggregation_temporality, "unspecified")


def _values(kind, point) -> dict:
    if kind in {"gauge", "sum"}:
        if point.WhichOneof("value") != "as_int":
            return {"value": finite(point.as_double), "value_rest": 0}
        return {"value": float(point.as_int), "value_rest": point.as_int - int(float(point.as_int))}
    values = {"count": point.count, "sum": None, "min": None, "max": None, "bounds": [], "bucket_counts": []}
    values |= {"zero_threshold": 0.0, "quantiles": [], "quantile_values": []}
    if kind == "summary":
        ranks = [[finite(pair.quantile), finite(pair.value)] for pair in point.quantile_values]
        return values | {
            "sum": finite(point.sum),
            "quantiles": [rank for rank, _ in ranks],
            "quantile_values": [value for _, value in ranks],
        }
    for name in ("sum", "min", "max"):
        values[name] = finite(getattr(point, name)) if point.HasField(name) else None
    if kind == "histogram":
        return values | {"bounds": list(point.explicit_bounds), "bucket_counts": list(point.bucket_counts)}
    negative = list(reversed(point.negative.bucket_counts))
    below = [-power for power in reversed(_powers(point.negative, point.scale))] if negative else []
    return values | {
        "bounds": below + _powers(point.positive, point.scale),
        "bucket_counts": [*([0, *negative] if negative else []), point.zero_count, *point.positive.bucket_counts, 0],
        "zero_threshold": point.zero_threshold,
    }


def _powers(buckets, scale) -> list[float]:
    return [2 ** ((buckets.offset + i) / 2**scale) for i in range(len(buckets.bucket_counts) + 1)]
