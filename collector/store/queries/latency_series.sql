-- Latency of a service over time: its server spans, or all spans of the named operations.
-- Parameters: service (String), versions, operations (Array(String), empty for all), start_s, end_s (UInt32, Unix s),
--   step_s (UInt32, a multiple of 10).
-- Columns: step (Unix s, start), requests, errors, hist_indexes and hist_counts (arrays of one length).
SELECT
    step,
    sum(requests_of_bin) AS requests,
    sum(errors_of_bin) AS errors,
    groupArray(hist_index) AS hist_indexes,
    groupArray(requests_of_bin) AS hist_counts
FROM
(
    SELECT
        intDiv(toUnixTimestamp(bucket), {step_s:UInt32}) * {step_s:UInt32} AS step,
        hist_index,
        sum(count) AS requests_of_bin,
        sum(errors) AS errors_of_bin
    FROM latency
    WHERE service = {service:String}
        AND (empty({versions:Array(String)}) OR has({versions:Array(String)}, version))
        AND if(empty({operations:Array(String)}), kind = 'server', has({operations:Array(String)}, operation))
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY step, hist_index
)
GROUP BY step
ORDER BY step
