-- Latency as an exponential histogram, 16 buckets an octave: hist_index = floor(log2(max(duration_ns, 1)) * 16).
-- The middle of index i is 2 ** ((i + 0.5) / 16) ns, at most 2.2% off. duration_ns: exact sum.
CREATE TABLE IF NOT EXISTS latency
(
    service LowCardinality(String),
    version LowCardinality(String),
    operation String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    hist_index Int16 CODEC(T64, ZSTD(1)),
    count UInt64 CODEC(T64, ZSTD(1)),
    errors UInt64 CODEC(T64, ZSTD(1)),
    duration_ns UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((count, errors, duration_ns))
PARTITION BY toDate(bucket)
ORDER BY (service, version, operation, kind, bucket, hist_index)
TTL bucket + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
