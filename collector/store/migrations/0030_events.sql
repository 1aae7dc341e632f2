-- What people and machines did to services: deploys, config, flags, capacity, incidents. Sent again, an id replaces itself.
-- service: '' where it concerns all. functions, files, first_lines, last_lines, touches: one entry per touched function.
CREATE TABLE IF NOT EXISTS events
(
    event_id String,
    kind LowCardinality(String),
    service LowCardinality(String),
    environment LowCardinality(String),
    version String,
    ts DateTime64(3, 'UTC'),
    title String CODEC(ZSTD(1)),
    text String CODEC(ZSTD(1)),
    url String CODEC(ZSTD(1)),
    source LowCardinality(String),
    commits Array(String) CODEC(ZSTD(1)),
    functions Array(String) CODEC(ZSTD(1)),
    files Array(String) CODEC(ZSTD(1)),
    first_lines Array(UInt32) CODEC(ZSTD(1)),
    last_lines Array(UInt32) CODEC(ZSTD(1)),
    touches Array(LowCardinality(String)) CODEC(ZSTD(1)),
    received DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(received)
PARTITION BY tuple()
ORDER BY event_id
TTL toDateTime(ts) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;
