-- When each release of a service was seen, by its profiles and by its spans.
-- Parameters: service (String), versions (Array(String)), start_s, end_s (UInt32, Unix s).
-- Columns: version, source ('cpu' or 'spans'), first_s, last_s (Unix s, starts of the first and last 10 s bucket).
SELECT version, 'cpu' AS source, toUnixTimestamp(min(bucket)) AS first_s, toUnixTimestamp(max(bucket)) AS last_s
FROM service_cost
WHERE service = {service:String} AND has({versions:Array(String)}, version)
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY version
UNION ALL
SELECT version, 'spans' AS source, toUnixTimestamp(min(bucket)) AS first_s, toUnixTimestamp(max(bucket)) AS last_s
FROM latency
WHERE service = {service:String} AND has({versions:Array(String)}, version)
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY version
