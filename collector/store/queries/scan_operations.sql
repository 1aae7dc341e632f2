-- Requests, errors and latency of a service's operations (server and consumer spans), step by step, most requests first.
-- Parameters: service (String), start_s, end_s (UInt32, Unix s), step_s (UInt32), rows_max (UInt32: operations).
-- Columns: operation, kind; steps (numbers from 0), requests, errors, duration_ns (sum), p50, p95, p99 (as hist_index,
--   between two bins where that is where they lie): arrays of one length; all_operations (those not returned too).
SELECT
    operation,
    kind,
    groupArray(step) AS steps,
    groupArray(served) AS requests,
    groupArray(failed) AS errors,
    groupArray(spent_ns) AS duration_ns,
    groupArray(toFloat64(quantiles[1])) AS p50,
    groupArray(toFloat64(quantiles[2])) AS p95,
    groupArray(toFloat64(quantiles[3])) AS p99,
    count() OVER () AS all_operations
FROM
(
    SELECT
        operation,
        kind,
        intDiv(toUnixTimestamp(bucket) - {start_s:UInt32}, {step_s:UInt32}) AS step,
        sum(count) AS served,
        sum(latency.errors) AS failed,
        sum(latency.duration_ns) AS spent_ns,
        quantilesInterpolatedWeighted(0.5, 0.95, 0.99)(hist_index, count) AS quantiles
    FROM latency
    WHERE service = {service:String} AND kind IN ('server', 'consumer')
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY operation, kind, step
)
GROUP BY operation, kind
ORDER BY sum(served) DESC, operation, kind
LIMIT {rows_max:UInt32}
