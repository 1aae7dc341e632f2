-- CPU of each host, all services of it together, step by step, the busiest first.
-- Parameters: start_s, end_s (UInt32, Unix s), step_s, n_steps, rows_max (UInt32).
-- Columns: host; cpu_ns, windows (how many profiles that is made of): arrays of n_steps.
SELECT
    host,
    sumResample(0, {n_steps:UInt32}, 1)(
        service_cost.cpu_ns, intDiv(toUnixTimestamp(bucket) - {start_s:UInt32}, {step_s:UInt32})
    ) AS cpu_ns,
    sumResample(0, {n_steps:UInt32}, 1)(
        service_cost.windows, intDiv(toUnixTimestamp(bucket) - {start_s:UInt32}, {step_s:UInt32})
    ) AS windows
FROM service_cost
WHERE host != ''
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY host
ORDER BY sum(service_cost.cpu_ns) DESC, host
LIMIT {rows_max:UInt32}
