-- What a frame id stands for. line: 1-based, 0 where unknown.
CREATE TABLE IF NOT EXISTS frames
(
    frame_id UInt64,
    function String CODEC(ZSTD(1)),
    file String CODEC(ZSTD(1)),
    line UInt32,
    frame_type LowCardinality(String),
    last_seen DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
PARTITION BY tuple()
ORDER BY frame_id
TTL toDateTime(last_seen) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000;
