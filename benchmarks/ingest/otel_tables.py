"""
The tables of the OpenTelemetry collector's ClickHouse exporter, which rotel's exporter writes to as well.

Source: the exporter's documentation and rotel's, with all the indexes that both make: that is what their users run.
"""

from typing import Final

_ATTRIBUTES: Final = "Map(LowCardinality(String), String)"
_BLOOM: Final = "TYPE bloom_filter(0.01) GRANULARITY 1"
_SETTINGS: Final = "SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1"


def _blooms(*columns: str) -> str:
    """Return the indexes of the keys and the values of map columns."""
    return ", ".join(
        f"INDEX idx_{column}_{part} map{part}({column}) {_BLOOM}" for column in columns for part in ("Keys", "Values")
    )


TRACES: Final = f"""
CREATE TABLE otel.otel_traces
(
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)), TraceId String CODEC(ZSTD(1)), SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)), TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)), SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)), ResourceAttributes {_ATTRIBUTES} CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)), ScopeVersion String CODEC(ZSTD(1)), SpanAttributes {_ATTRIBUTES} CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)), StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes {_ATTRIBUTES}) CODEC(ZSTD(1)),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes {_ATTRIBUTES}) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    {_blooms("ResourceAttributes", "SpanAttributes")},
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree PARTITION BY toDate(Timestamp) ORDER BY (ServiceName, SpanName, Timestamp)
{_SETTINGS}
"""
_TRACE_TIMES: Final = f"""
CREATE TABLE otel.otel_traces_trace_id_ts
(
    TraceId String CODEC(ZSTD(1)), Start DateTime64(9) CODEC(Delta, ZSTD(1)), End DateTime64(9) CODEC(Delta, ZSTD(1)),
    INDEX idx_trace_id TraceId {_BLOOM}
)
ENGINE = MergeTree PARTITION BY toDate(Start) ORDER BY (TraceId, Start)
{_SETTINGS}
"""
_TRACE_TIMES_VIEW: Final = """
CREATE MATERIALIZED VIEW otel.otel_traces_trace_id_ts_mv TO otel.otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End FROM otel.otel_traces
WHERE TraceId != '' GROUP BY TraceId
"""


def _metrics(kind: str, more: str) -> str:
    """Return the table of one kind of numbers."""
    return f"""
CREATE TABLE otel.otel_metrics_{kind}
(
    ResourceAttributes {_ATTRIBUTES} CODEC(ZSTD(1)), ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)), ScopeVersion String CODEC(ZSTD(1)), ScopeAttributes {_ATTRIBUTES} CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)), ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)), MetricName String CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)), MetricUnit String CODEC(ZSTD(1)), Attributes {_ATTRIBUTES} CODEC(ZSTD(1)),
    StartTimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)), TimeUnix DateTime64(9) CODEC(Delta, ZSTD(1)),
    Value Float64 CODEC(ZSTD(1)), Flags UInt32 CODEC(ZSTD(1)),
    Exemplars Nested (FilteredAttributes {_ATTRIBUTES}, TimeUnix DateTime64(9), Value Float64, SpanId String,
        TraceId String) CODEC(ZSTD(1)),
    {more}
    {_blooms("ResourceAttributes", "ScopeAttributes", "Attributes")}
)
ENGINE = MergeTree PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, Attributes, toUnixTimestamp64Nano(TimeUnix))
{_SETTINGS}
"""


OTEL_TABLES: Final = (
    TRACES,
    _TRACE_TIMES,
    _TRACE_TIMES_VIEW,
    _metrics("gauge", ""),
    _metrics("sum", "AggregationTemporality Int32 CODEC(ZSTD(1)), IsMonotonic Bool CODEC(Delta, ZSTD(1)),"),
)
