-- How much there is of a service: when it was seen, how many functions have own time, and how many operations there are.
-- Parameters: service (String), start_s, end_s (UInt32, Unix s), functions_max (UInt32).
-- Columns: first_s, last_s (Unix s, starts of the first and last 10 s bucket; 0 where nothing was seen), functions,
--   operations, self_ns_min (own time of the functions_max-th function, the largest first; 0 where there are fewer).
SELECT
    min(first) AS first_s,
    max(last) AS last_s,
    countIf(is_function AND self_ns > 0) AS functions,
    countIf(NOT is_function) AS operations,
    arrayElement(arrayReverseSort(groupArrayIf(self_ns, is_function)), {functions_max:UInt32}) AS self_ns_min
FROM
(
    SELECT
        true AS is_function,
        toUnixTimestamp(min(bucket)) AS first,
        toUnixTimestamp(max(bucket)) AS last,
        sum(function_cost.self_ns) AS self_ns
    FROM function_cost
    WHERE service = {service:String} AND NOT startsWith(function, '[')
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY cityHash64(function, file)
    UNION ALL
    SELECT
        false AS is_function,
        toUnixTimestamp(min(bucket)) AS first,
        toUnixTimestamp(max(bucket)) AS last,
        toInt64(0) AS self_ns
    FROM latency
    WHERE service = {service:String} AND kind IN ('server', 'consumer')
        AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY operation, kind
)
