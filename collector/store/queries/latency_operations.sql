-- Operations of a service, most requests first.
-- Parameters: service (String), versions, operations (Array(String), empty for all), start_s, end_s (UInt32, Unix s),
--   rows_max (UInt32).
-- Columns: operation, kind, requests, errors, duration_ns (sum), hist_indexes and hist_counts (arrays of one length);
--   first_s, last_s (Unix s, starts of the first and last bucket of all these operations together).
SELECT
    operation,
    kind,
    sum(requests_of_bin) AS requests,
    sum(errors_of_bin) AS errors,
    sum(duration_ns_of_bin) AS duration_ns,
    groupArray(hist_index) AS hist_indexes,
    groupArray(requests_of_bin) AS hist_counts,
    min(min(first_of_bin)) OVER () AS first_s,
    max(max(last_of_bin)) OVER () AS last_s
FROM
(
    SELECT
        operation,
        kind,
        hist_index,
        sum(count) AS requests_of_bin,
        sum(errors) AS errors_of_bin,
        sum(duration_ns) AS duration_ns_of_bin,
        toUnixTimestamp(min(bucket)) AS first_of_bin,
        toUnixTimestamp(max(bucket)) AS last_of_bin
    FROM latency
    WHERE service = {service:String}
        AND (empty({versions:Array(String)}) OR has({versions:Array(String)}, version))
        AND (empty({operations:Array(String)}) OR has({operations:Array(String)}, operation))
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY operation, kind, hist_index
)
GROUP BY operation, kind
ORDER BY requests DESC, operation, kind
LIMIT {rows_max:UInt32}
