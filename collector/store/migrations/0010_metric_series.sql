-- What a series id of metric points stands for. type: gauge, sum, histogram, summary. temporality: '' for a gauge.
CREATE TABLE IF NOT EXISTS metric_series
(
    series_id UInt64,
    metric String,
    unit LowCardinality(String),
    type LowCardinality(String),
    monotonic Bool,
    temporality LowCardinality(String),
    service LowCardinality(String),
    host LowCardinality(String),
    attributes Map(LowCardinality(String), String),
    resource_attributes Map(LowCardinality(String), String),
    last_seen DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
PARTITION BY tuple()
ORDER BY (metric, series_id)
TTL toDateTime(last_seen) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000;
