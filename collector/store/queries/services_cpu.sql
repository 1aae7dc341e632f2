-- CPU of every service, the most expensive first.
-- Parameters: start_s, end_s (UInt32, Unix s, whole 10 s buckets), rows_max (UInt32).
-- Columns: service, versions (array), first_s, last_s (Unix s, starts of the first and last bucket), hosts (array),
--   cpu_ns, samples.
SELECT
    service,
    arraySort(groupUniqArray(1000)(version)) AS versions,
    toUnixTimestamp(min(bucket)) AS first_s,
    toUnixTimestamp(max(bucket)) AS last_s,
    arraySort(groupUniqArray(10000)(host)) AS hosts,
    sum(cpu_ns) AS cpu_ns,
    sum(samples) AS samples
FROM service_cost
WHERE bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY service
ORDER BY cpu_ns DESC, service
LIMIT {rows_max:UInt32}
