-- One row per stack seen in one thread in one window. Narrow; a service's stacks lie together.
-- ts: start of the window. value: nanoseconds (CPU for sample_type 'cpu'). count: times seen; 0 for marker stacks.
CREATE TABLE IF NOT EXISTS samples
(
    service LowCardinality(String),
    version LowCardinality(String),
    sample_type LowCardinality(String),
    stack_id UInt64,
    series_id UInt64,
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    duration_ms UInt32 CODEC(T64, ZSTD(1)),
    thread_id UInt64 CODEC(ZSTD(1)),
    count UInt32 CODEC(T64, ZSTD(1)),
    value Int64 CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (service, sample_type, version, stack_id, ts)
TTL toDateTime(ts) + INTERVAL 14 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
