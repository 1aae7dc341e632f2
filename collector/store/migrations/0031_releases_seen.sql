-- When each release was seen first and last, by its profiles or its spans: starts of buckets of 10 s.
CREATE TABLE IF NOT EXISTS releases_seen
(
    service LowCardinality(String),
    version String,
    first SimpleAggregateFunction(min, DateTime('UTC')),
    last SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
PARTITION BY tuple()
ORDER BY (service, version)
TTL last + INTERVAL 400 DAY
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS service_cost_to_releases_seen TO releases_seen AS
SELECT service, version, min(bucket) AS first, max(bucket) AS last FROM service_cost GROUP BY service, version;

CREATE MATERIALIZED VIEW IF NOT EXISTS latency_to_releases_seen TO releases_seen AS
SELECT service, version, min(bucket) AS first, max(bucket) AS last FROM latency GROUP BY service, version;

-- What was there before; earliest and latest of the same rows twice are the same.
INSERT INTO releases_seen (service, version, first, last)
SELECT service, version, min(bucket), max(bucket) FROM service_cost GROUP BY service, version;

INSERT INTO releases_seen (service, version, first, last)
SELECT service, version, min(bucket), max(bucket) FROM latency GROUP BY service, version;
