-- Histograms: bucket_counts has one more element than bounds; both are empty for a summary.
-- An exponential histogram is stored with the bounds its scale stands for; what is zero or negative lies in the first.
-- sum, min, max: NaN where the sender left them out.
CREATE TABLE IF NOT EXISTS metric_histograms
(
    series_id UInt64 CODEC(ZSTD(1)),
    ts DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    count UInt64 CODEC(T64, ZSTD(1)),
    sum Float64 CODEC(ZSTD(1)),
    min Float64 CODEC(ZSTD(1)),
    max Float64 CODEC(ZSTD(1)),
    bounds Array(Float64) CODEC(ZSTD(1)),
    bucket_counts Array(UInt64) CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toDate(ts)
ORDER BY (series_id, ts)
TTL toDateTime(ts) + INTERVAL 14 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;
