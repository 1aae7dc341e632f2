-- CPU of the functions of two releases bucket by bucket, the largest functions first.
-- Parameters: service (String), versions (Array(String)), start_s, end_s (UInt32, Unix s), bucket_s (UInt32),
--   rows_max (UInt32: functions).
-- Columns: function, file, sides (0: the first of the versions, 1: another), buckets (Unix s, starts), self_ns, total_ns,
--   samples (arrays of one length);
--   all_functions (those not returned too).
SELECT
    function,
    file,
    groupArray(toUInt8(version != {versions:Array(String)}[1])) AS sides,
    groupArray(bucket) AS buckets,
    groupArray(self_of_bucket) AS self_ns,
    groupArray(total_of_bucket) AS total_ns,
    groupArray(samples_of_bucket) AS samples,
    count() OVER () AS all_functions
FROM
(
    SELECT
        function,
        file,
        version,
        intDiv(toUnixTimestamp(function_cost.bucket), {bucket_s:UInt32}) * {bucket_s:UInt32} AS bucket,
        sum(function_cost.self_ns) AS self_of_bucket,
        sum(function_cost.total_ns) AS total_of_bucket,
        sum(function_cost.samples) AS samples_of_bucket
    FROM function_cost
    WHERE service = {service:String}
        AND has({versions:Array(String)}, version)
        AND function_cost.bucket >= toDateTime({start_s:UInt32}, 'UTC')
        AND function_cost.bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY function, file, version, bucket
)
GROUP BY function, file
ORDER BY sum(self_of_bucket) DESC, sum(total_of_bucket) DESC, function, file
LIMIT {rows_max:UInt32}
