-- Own CPU time of a part of a service's functions, step by step. Markers, such as [idle], are left out.
-- Parameters: service (String), start_s, end_s (UInt32, Unix s), step_s, n_steps (UInt32), parts, part (UInt32: files
--   are dealt to parts by hash, so that a file's functions are together), self_ns_min (Int64: functions with less are
--   left out).
-- Columns: function, file, self_ns (array of n_steps).
SELECT
    any(function_cost.function) AS function,
    any(function_cost.file) AS file,
    sumResample(0, {n_steps:UInt32}, 1)(
        function_cost.self_ns, intDiv(toUnixTimestamp(bucket) - {start_s:UInt32}, {step_s:UInt32})
    ) AS self_ns
FROM function_cost
WHERE service = {service:String} AND NOT startsWith(function_cost.function, '[')
    AND cityHash64(function_cost.file) % {parts:UInt32} = {part:UInt32}
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
GROUP BY cityHash64(function_cost.function, function_cost.file)
HAVING sum(function_cost.self_ns) >= {self_ns_min:Int64}
ORDER BY function, file
