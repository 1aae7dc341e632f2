-- CPU of two releases bucket by bucket.
-- Parameters: service (String), versions (Array(String)), start_s, end_s (UInt32, Unix s), bucket_s (UInt32).
-- Columns: version, bucket (Unix s, start), cpu_ns, samples, observed_ns.
SELECT
    version,
    intDiv(toUnixTimestamp(service_cost.bucket), {bucket_s:UInt32}) * {bucket_s:UInt32} AS bucket,
    sum(cpu_ns) AS cpu_ns,
    sum(samples) AS samples,
    sum(observed_ns) AS observed_ns
FROM service_cost
WHERE service = {service:String}
    AND has({versions:Array(String)}, version)
    AND service_cost.bucket >= toDateTime({start_s:UInt32}, 'UTC')
    AND service_cost.bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY version, bucket
ORDER BY version, bucket
