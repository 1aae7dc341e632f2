-- Functions of a service, the largest own time first.
-- Parameters: service, search (String; part of the name or file, any case; '' for all),
--   versions (Array(String), empty for all), start_s, end_s (UInt32, Unix s), rows_max (UInt32).
-- Columns: function, file, self_ns, total_ns, samples.
SELECT
    function,
    file,
    sum(self_ns) AS self_ns,
    sum(total_ns) AS total_ns,
    sum(samples) AS samples
FROM function_cost
WHERE service = {service:String}
    AND (empty({versions:Array(String)}) OR has({versions:Array(String)}, version))
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    AND (empty({search:String})
        OR positionCaseInsensitiveUTF8(function, {search:String}) > 0
        OR positionCaseInsensitiveUTF8(file, {search:String}) > 0)
GROUP BY function, file
ORDER BY self_ns DESC, total_ns DESC, function, file
LIMIT {rows_max:UInt32}
