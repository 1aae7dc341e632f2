-- CPU of one service: what its functions' shares are of.
-- Parameters: service (String), versions (Array(String), empty for all), start_s, end_s (UInt32, Unix s).
-- Columns: first_s, last_s (Unix s, starts of the first and last bucket), cpu_ns, observed_ns, buckets (0: not seen).
SELECT
    toUnixTimestamp(min(bucket)) AS first_s,
    toUnixTimestamp(max(bucket)) AS last_s,
    sum(cpu_ns) AS cpu_ns,
    sum(observed_ns) AS observed_ns,
    uniqExact(bucket) AS buckets
FROM service_cost
WHERE service = {service:String}
    AND (empty({versions:Array(String)}) OR has({versions:Array(String)}, version))
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
