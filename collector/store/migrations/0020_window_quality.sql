-- How the windows of a service were sampled, in buckets of 10 s.
-- total_value: of all samples; CPU time in nanoseconds where sample_type is cpu. seen_value: of that, on stacks that were
-- seen. sampled_ns: time in which processes were looked at. looks: at a process. late, lost: looks that came late, or not
-- at all. errors: samples that failed. unstable, cut: samples whose leaf or root is missing.
CREATE TABLE IF NOT EXISTS window_quality
(
    service LowCardinality(String),
    sample_type LowCardinality(String),
    version LowCardinality(String),
    host LowCardinality(String),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    total_value Int64 CODEC(T64, ZSTD(1)),
    seen_value Int64 CODEC(T64, ZSTD(1)),
    sampled_ns Int64 CODEC(T64, ZSTD(1)),
    samples UInt64 CODEC(T64, ZSTD(1)),
    looks UInt64 CODEC(T64, ZSTD(1)),
    late UInt64 CODEC(T64, ZSTD(1)),
    lost UInt64 CODEC(T64, ZSTD(1)),
    errors UInt64 CODEC(T64, ZSTD(1)),
    unstable UInt64 CODEC(T64, ZSTD(1)),
    cut UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((total_value, seen_value, sampled_ns, samples, looks, late, lost, errors, unstable, cut))
PARTITION BY toDate(bucket)
ORDER BY (service, sample_type, version, host, bucket)
TTL bucket + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
