-- Requests (server spans) of every service and release: what unit costs are divided by.
-- Parameters: services (Array(String), empty for all), start_s, end_s (UInt32, Unix s), rows_max (UInt32).
-- Columns: service, version, requests.
SELECT service, version, sum(count) AS requests
FROM latency
WHERE kind = 'server'
    AND (empty({services:Array(String)}) OR has({services:Array(String)}, service))
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY service, version
ORDER BY requests DESC, service, version
LIMIT {rows_max:UInt32}
