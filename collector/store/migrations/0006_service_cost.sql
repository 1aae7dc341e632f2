-- CPU per service, release and host in buckets of 10 s.
-- observed_ns: time for which processes were watched (two processes for 10 s: 20 s). windows: how many windows.
CREATE TABLE IF NOT EXISTS service_cost
(
    service LowCardinality(String),
    version LowCardinality(String),
    host LowCardinality(String),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    cpu_ns Int64 CODEC(T64, ZSTD(1)),
    samples UInt64 CODEC(T64, ZSTD(1)),
    observed_ns Int64 CODEC(T64, ZSTD(1)),
    windows UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((cpu_ns, samples, observed_ns, windows))
PARTITION BY toDate(bucket)
ORDER BY (service, version, host, bucket)
TTL bucket + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
