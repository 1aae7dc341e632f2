-- CPU of every service, release and host: the cells a bill is added up from.
-- Parameters: services (Array(String), empty for all), start_s, end_s (UInt32, Unix s), rows_max (UInt32).
-- Columns: service, version, host, cpu_ns; unsampled_ns (of the service and release on all hosts, repeated in each of its
--   rows); all_first_s, all_last_s (Unix s, starts of the first and last bucket of all services, also those left out).
WITH
    (
        SELECT (toUnixTimestamp(min(bucket)), toUnixTimestamp(max(bucket)))
        FROM service_cost
        WHERE bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    ) AS seen
SELECT
    cells.service AS service,
    cells.version AS version,
    host,
    cpu_ns,
    unsampled_ns,
    seen.1 AS all_first_s,
    seen.2 AS all_last_s
FROM
(
    SELECT service, version, host, sum(service_cost.cpu_ns) AS cpu_ns
    FROM service_cost
    WHERE (empty({services:Array(String)}) OR has({services:Array(String)}, service))
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY service, version, host
) AS cells
LEFT JOIN
(
    SELECT service, version, sum(total_ns) AS unsampled_ns
    FROM function_cost
    WHERE function = '[not sampled]'
        AND (empty({services:Array(String)}) OR has({services:Array(String)}, service))
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY service, version
) AS unsampled ON cells.service = unsampled.service AND cells.version = unsampled.version
ORDER BY cpu_ns DESC, service, version, host
LIMIT {rows_max:UInt32}
