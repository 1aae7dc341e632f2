-- When the releases of a service were seen, by profiles or spans; the last to come stands first.
-- Parameters: service (String), start_s, end_s (UInt32, Unix s), rows_max (UInt32).
-- Columns: version, first_s, last_s (Unix s, starts of the first and last 10 s bucket).
SELECT version, toUnixTimestamp(min(first)) AS first_s, toUnixTimestamp(max(last)) AS last_s
FROM
(
    SELECT version, min(bucket) AS first, max(bucket) AS last
    FROM service_cost
    WHERE service = {service:String}
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY version
    UNION ALL
    SELECT version, min(bucket) AS first, max(bucket) AS last
    FROM latency
    WHERE service = {service:String}
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY version
)
GROUP BY version
ORDER BY first_s DESC, last_s DESC, version DESC
LIMIT {rows_max:UInt32}
