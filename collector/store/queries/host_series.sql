-- Metrics of one host over time, those of the whole host first, then those of its systemd units and containers: gauges
-- as the mean of each step, monotonic counters as rates per second.
-- Parameters: host (String), start_ms, end_ms (Int64, Unix ms), step_ms (UInt32), rows_max (UInt32: series).
-- Columns: metric, unit, type, monotonic, attributes (map), steps (array, Unix ms, starts), values (array, same length).
-- A counter's increase between two points belongs to the step of the later one; a fall is a restart and adds nothing.
SELECT
    metric,
    unit,
    counter,
    attributes,
    groupArray(step) AS steps,
    groupArray(step_value) AS values
FROM
(
    SELECT
        metric,
        unit,
        counter,
        attributes,
        intDiv(ts_ms, {step_ms:UInt32}) * {step_ms:UInt32} AS step,
        if(counter, sum(increase) / sum(elapsed_s), avg(value)) AS step_value
    FROM
    (
        SELECT
            series.metric AS metric,
            series.unit AS unit,
            series.counter AS counter,
            series.attributes AS attributes,
            points.ts_ms AS ts_ms,
            points.value AS value,
            ms_before > 0 AND ts_ms > ms_before AND (series.delta OR value >= value_before) AS usable,
            if(usable, if(series.delta, value, value - value_before), 0) AS increase,
            if(usable, (ts_ms - ms_before) / 1000, 0) AS elapsed_s
        FROM
        (
            SELECT
                series_id,
                toUnixTimestamp64Milli(ts) AS ts_ms,
                value,
                lagInFrame(value) OVER earlier AS value_before,
                lagInFrame(toUnixTimestamp64Milli(ts)) OVER earlier AS ms_before
            FROM metric_points
            WHERE ts >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
                AND ts < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
                AND series_id IN
                (
                    SELECT series_id FROM metric_series
                    WHERE host = {host:String} AND (startsWith(metric, 'system.') OR startsWith(metric, 'linux.cgroup.'))
                )
            WINDOW earlier AS (PARTITION BY series_id ORDER BY ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
        ) AS points
        INNER JOIN
        (
            SELECT
                series_id,
                any(metric_series.metric) AS metric,
                any(metric_series.unit) AS unit,
                any(metric_series.type = 'sum' AND metric_series.monotonic) AS counter,
                any(metric_series.temporality = 'delta') AS delta,
                any(metric_series.attributes) AS attributes
            FROM metric_series
            WHERE metric_series.host = {host:String}
                AND (startsWith(metric_series.metric, 'system.') OR startsWith(metric_series.metric, 'linux.cgroup.'))
            GROUP BY series_id
        ) AS series ON points.series_id = series.series_id
    )
    GROUP BY metric, unit, counter, attributes, step
    HAVING NOT counter OR sum(elapsed_s) > 0
    ORDER BY metric, attributes, step
)
GROUP BY metric, unit, counter, attributes
ORDER BY startsWith(metric, 'system.') DESC, metric, attributes
LIMIT {rows_max:UInt32}
