-- CPU that profiles saw on each host.
-- Parameters: hosts (Array(String), empty for all), start_s, end_s (UInt32, Unix s), rows_max (UInt32).
-- Columns: host, services (array), first_s, last_s (Unix s, starts of the first and last bucket), cpu_ns.
SELECT
    host,
    arraySort(groupUniqArray(1000)(service)) AS services,
    toUnixTimestamp(min(bucket)) AS first_s,
    toUnixTimestamp(max(bucket)) AS last_s,
    sum(cpu_ns) AS cpu_ns
FROM service_cost
WHERE bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    AND host != '' AND (empty({hosts:Array(String)}) OR has({hosts:Array(String)}, host))
GROUP BY host
ORDER BY host
LIMIT {rows_max:UInt32}
