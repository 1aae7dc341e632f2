-- When releases of a service were seen first and last.
-- Parameters: service (String), versions (Array(String)).
-- Columns: version, first_s, last_s (Unix s, starts of buckets of 10 s).
SELECT version, toUnixTimestamp(min(first)) AS first_s, toUnixTimestamp(max(last)) AS last_s
FROM releases_seen
WHERE service = {service:String} AND has({versions:Array(String)}, version)
GROUP BY version
