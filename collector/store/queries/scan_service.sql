-- What the series of a service's functions are divided by, step by step: one row, arrays of n_steps.
-- Parameters: service (String), start_s, end_s (UInt32, Unix s), step_s, n_steps (UInt32).
-- Columns: cpu_ns, unsampled_ns (that part of it which no stack stands for), samples, requests (server spans): arrays.
SELECT
    sumResample(0, {n_steps:UInt32}, 1)(cpu, step) AS cpu_ns,
    sumResample(0, {n_steps:UInt32}, 1)(unsampled, step) AS unsampled_ns,
    sumResample(0, {n_steps:UInt32}, 1)(stacks, step) AS samples,
    sumResample(0, {n_steps:UInt32}, 1)(served, step) AS requests
FROM
(
    SELECT
        intDiv(toUnixTimestamp(bucket) - {start_s:UInt32}, {step_s:UInt32}) AS step,
        cpu_ns AS cpu,
        toInt64(0) AS unsampled,
        samples AS stacks,
        toUInt64(0) AS served
    FROM service_cost
    WHERE service = {service:String}
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp(bucket) - {start_s:UInt32}, {step_s:UInt32}) AS step,
        toInt64(0) AS cpu,
        total_ns AS unsampled,
        toUInt64(0) AS stacks,
        toUInt64(0) AS served
    FROM function_cost
    WHERE service = {service:String} AND function = '[not sampled]'
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    UNION ALL
    SELECT
        intDiv(toUnixTimestamp(bucket) - {start_s:UInt32}, {step_s:UInt32}) AS step,
        toInt64(0) AS cpu,
        toInt64(0) AS unsampled,
        toUInt64(0) AS stacks,
        count AS served
    FROM latency
    WHERE service = {service:String} AND kind = 'server'
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
)
