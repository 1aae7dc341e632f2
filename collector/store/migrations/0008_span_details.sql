-- Everything of a span that the index does not need, found by its trace.
CREATE TABLE IF NOT EXISTS span_details
(
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    ts DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    flags UInt32,
    status_message String CODEC(ZSTD(1)),
    attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    resource_attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    events Array(Tuple(ts DateTime64(9, 'UTC'), name String, attributes Map(String, String))) CODEC(ZSTD(1)),
    links Array(Tuple(trace_id String, span_id String, trace_state String, attributes Map(String, String))) CODEC(ZSTD(1)),
    dropped_attributes UInt32,
    dropped_events UInt32,
    dropped_links UInt32
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (trace_id, span_id)
TTL toDateTime(ts) + INTERVAL 14 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
