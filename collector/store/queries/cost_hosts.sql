-- Which machines the hosts are: what their agents say of them.
-- Parameters: start_ms, end_ms (Int64, Unix ms), rows_max (UInt32).
-- Columns: host, type, cloud, region ('' where it does not say), cpus, memory_bytes (latest; 0 where not sent).
SELECT
    host,
    any(type) AS type,
    any(cloud) AS cloud,
    any(region) AS region,
    maxIf(value, metric = 'system.cpu.logical.count') AS cpus,
    maxIf(value, metric = 'system.memory.limit') AS memory_bytes
FROM
(
    SELECT series_id, argMax(metric_points.value, ts) AS value
    FROM metric_points
    WHERE ts >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND series_id IN
        (
            SELECT series_id FROM metric_series WHERE metric IN ('system.cpu.logical.count', 'system.memory.limit')
        )
    GROUP BY series_id
) AS points
INNER JOIN
(
    SELECT
        series_id,
        any(metric_series.metric) AS metric,
        any(metric_series.host) AS host,
        any(leftUTF8(metric_series.resource_attributes['host.type'], 256)) AS type,
        any(leftUTF8(metric_series.resource_attributes['cloud.provider'], 256)) AS cloud,
        any(leftUTF8(metric_series.resource_attributes['cloud.region'], 256)) AS region
    FROM metric_series
    WHERE metric_series.metric IN ('system.cpu.logical.count', 'system.memory.limit') AND metric_series.host != ''
    GROUP BY series_id
) AS machines USING (series_id)
GROUP BY host
ORDER BY host
LIMIT {rows_max:UInt32}
