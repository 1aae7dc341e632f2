-- Memory that watched processes had resident, by service, release and host.
-- Parameters: services (Array(String), empty for all), start_ms, end_ms (Int64, Unix ms), rows_max (UInt32).
-- Columns: service, version, host, byte_minutes (the mean of each process in each minute, added up); all_first_m,
--   all_last_m (the first and last minute of these rows, minutes since 1970).
SELECT
    service,
    version,
    host,
    sum(bytes) AS byte_minutes,
    min(min(minute)) OVER () AS all_first_m,
    max(max(minute)) OVER () AS all_last_m
FROM
(
    SELECT series_id, intDiv(toUnixTimestamp(toDateTime(ts, 'UTC')), 60) AS minute, avg(value) AS bytes
    FROM metric_points
    WHERE ts >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND series_id IN (SELECT series_id FROM metric_series WHERE metric = 'process.memory.usage')
    GROUP BY series_id, minute
) AS points
INNER JOIN
(
    SELECT
        series_id,
        any(metric_series.service) AS service,
        any(leftUTF8(metric_series.resource_attributes['service.version'], 10000)) AS version,
        any(metric_series.host) AS host
    FROM metric_series
    WHERE metric_series.metric = 'process.memory.usage'
        AND (empty({services:Array(String)}) OR has({services:Array(String)}, metric_series.service))
    GROUP BY series_id
) AS processes USING (series_id)
GROUP BY service, version, host
ORDER BY byte_minutes DESC, service, version, host
LIMIT {rows_max:UInt32}
