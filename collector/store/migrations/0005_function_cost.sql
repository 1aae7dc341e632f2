-- CPU per function in buckets of 10 s: the roll-up behind function lists, comparison and pricing.
-- self_ns: in the function itself; total_ns: with what it called, a stack counting once however deep the recursion.
CREATE TABLE IF NOT EXISTS function_cost
(
    service LowCardinality(String),
    version LowCardinality(String),
    bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    function String CODEC(ZSTD(1)),
    file String CODEC(ZSTD(1)),
    self_ns Int64 CODEC(T64, ZSTD(1)),
    total_ns Int64 CODEC(T64, ZSTD(1)),
    samples UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree((self_ns, total_ns, samples))
PARTITION BY toDate(bucket)
ORDER BY (service, version, function, file, bucket)
TTL bucket + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
