-- Latency histograms of the operations of two releases bucket by bucket, most requests first.
-- Parameters: service (String), versions (Array(String)), start_s, end_s (UInt32, Unix s), bucket_s (UInt32),
--   rows_max (UInt32: operations).
-- Columns: operation, kind, versions, buckets (Unix s, starts), hist_indexes, requests, errors, duration_ns (arrays of
--   one length); all_operations (those not returned too).
SELECT
    operation,
    kind,
    groupArray(version) AS versions,
    groupArray(bucket) AS buckets,
    groupArray(hist_index) AS hist_indexes,
    groupArray(requests_of_bin) AS requests,
    groupArray(errors_of_bin) AS errors,
    groupArray(duration_ns_of_bin) AS duration_ns,
    count() OVER () AS all_operations
FROM
(
    SELECT
        operation,
        kind,
        version,
        intDiv(toUnixTimestamp(latency.bucket), {bucket_s:UInt32}) * {bucket_s:UInt32} AS bucket,
        hist_index,
        sum(count) AS requests_of_bin,
        sum(latency.errors) AS errors_of_bin,
        sum(latency.duration_ns) AS duration_ns_of_bin
    FROM latency
    WHERE service = {service:String}
        AND has({versions:Array(String)}, version)
        AND latency.bucket >= toDateTime({start_s:UInt32}, 'UTC')
        AND latency.bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY operation, kind, version, bucket, hist_index
)
GROUP BY operation, kind
ORDER BY sum(requests_of_bin) DESC, operation, kind
LIMIT {rows_max:UInt32}
