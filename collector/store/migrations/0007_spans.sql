-- The narrow index of spans; what is fat lies in span_details. Ids are lower-case hex; a root's parent is ''.
CREATE TABLE IF NOT EXISTS spans
(
    service LowCardinality(String),
    version LowCardinality(String),
    operation String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    ts DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    duration_ns UInt64 CODEC(ZSTD(1)),
    status LowCardinality(String),
    trace_id String CODEC(ZSTD(1)),
    span_id String CODEC(ZSTD(1)),
    parent_span_id String CODEC(ZSTD(1)),
    host LowCardinality(String),
    pid UInt32,
    thread_id UInt64
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (service, operation, ts)
TTL toDateTime(ts) + INTERVAL 14 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
