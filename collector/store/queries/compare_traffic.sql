-- Traffic that prices assume: requests of a service in all its releases, and of each operation.
-- Parameters: service (String), start_s, end_s (UInt32, Unix s), rows_max (UInt32).
-- Columns: operation, kind, requests, first_s, last_s (Unix s, starts of the service's first and last bucket).
SELECT
    operation,
    kind,
    sum(count) AS requests,
    min(toUnixTimestamp(min(bucket))) OVER () AS first_s,
    max(toUnixTimestamp(max(bucket))) OVER () AS last_s
FROM latency
WHERE service = {service:String}
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY operation, kind
ORDER BY requests DESC, operation, kind
LIMIT {rows_max:UInt32}
