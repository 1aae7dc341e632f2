-- Requests (server spans) of two releases bucket by bucket.
-- Parameters: service (String), versions (Array(String)), start_s, end_s (UInt32, Unix s), bucket_s (UInt32).
-- Columns: version, bucket (Unix s, start), requests.
SELECT
    version,
    intDiv(toUnixTimestamp(latency.bucket), {bucket_s:UInt32}) * {bucket_s:UInt32} AS bucket,
    sumIf(count, kind = 'server') AS requests
FROM latency
WHERE service = {service:String}
    AND has({versions:Array(String)}, version)
    AND latency.bucket >= toDateTime({start_s:UInt32}, 'UTC')
    AND latency.bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY version, bucket
ORDER BY version, bucket
