-- Hosts that report metrics: each metric's latest value per series, for the metrics the host page shows.
-- Parameters: metrics, hosts (Array(String); hosts empty for all), start_ms, end_ms (Int64, Unix ms), rows_max (UInt32).
-- Columns: host, os, arch, metric, attributes (map), last_ms (Unix ms), value (latest),
--   previous_value and previous_ms (the earliest within the 90 s before the latest: what a counter's rate is taken from).
SELECT
    host,
    any(os) AS os,
    any(arch) AS arch,
    metric,
    attributes,
    toUnixTimestamp64Milli(max(last_ts)) AS last_ms,
    argMax(last_value, last_ts) AS value,
    toUnixTimestamp64Milli(argMax(previous_ts, last_ts)) AS previous_ms,
    argMax(previous, last_ts) AS previous_value
FROM
(
    SELECT
        series_id,
        max(ts) AS last_ts,
        argMax(value, ts) AS last_value,
        arrayFirst(x -> x.1 >= last_ts - INTERVAL 90 SECOND, arraySort(groupArrayLast(64)((ts, value)))) AS first_point,
        first_point.1 AS previous_ts,
        first_point.2 AS previous
    FROM metric_points
    WHERE ts >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND series_id IN
        (
            SELECT series_id FROM metric_series
            WHERE has({metrics:Array(String)}, metric) AND (empty({hosts:Array(String)}) OR has({hosts:Array(String)}, host))
        )
    GROUP BY series_id
) AS points
INNER JOIN
(
    SELECT
        series_id,
        any(metric_series.metric) AS metric,
        any(metric_series.host) AS host,
        any(metric_series.attributes) AS attributes,
        any(metric_series.resource_attributes['os.type']) AS os,
        any(metric_series.resource_attributes['host.arch']) AS arch
    FROM metric_series
    WHERE has({metrics:Array(String)}, metric_series.metric) AND metric_series.host != ''
        AND (empty({hosts:Array(String)}) OR has({hosts:Array(String)}, metric_series.host))
    GROUP BY series_id
) AS series USING (series_id)
GROUP BY host, metric, attributes
ORDER BY host, metric
LIMIT {rows_max:UInt32}
