-- Regressions, one row for each cause; a later row of an id replaces the earlier one.
-- content: the ticket as JSON (collector/regressions/ticket.py); the other columns are what is searched by.
CREATE TABLE IF NOT EXISTS regressions
(
    ticket_id String,
    service LowCardinality(String),
    state LowCardinality(String),
    is_open Bool,
    began DateTime('UTC'),
    content String CODEC(ZSTD(1)),
    written DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written)
PARTITION BY tuple()
ORDER BY ticket_id
TTL toDateTime(written) + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;
