-- What a series id of samples stands for: one process. Rewritten daily, so that TTL drops what is no longer seen.
CREATE TABLE IF NOT EXISTS series
(
    series_id UInt64,
    service LowCardinality(String),
    version LowCardinality(String),
    host LowCardinality(String),
    pid UInt32,
    attributes Map(LowCardinality(String), String),
    last_seen DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
PARTITION BY tuple()
ORDER BY (service, series_id)
TTL toDateTime(last_seen) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000;
