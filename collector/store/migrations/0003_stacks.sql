-- The frames of a stack, root first. Written once a day for each stack that is seen.
CREATE TABLE IF NOT EXISTS stacks
(
    stack_id UInt64,
    frame_ids Array(UInt64) CODEC(ZSTD(1)),
    last_seen DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(last_seen)
PARTITION BY tuple()
ORDER BY stack_id
TTL toDateTime(last_seen) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000;
