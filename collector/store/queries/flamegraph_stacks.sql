-- What a service spent in each stack, the largest first, and in all stacks together.
-- Parameters: service, sample_type (String), versions, hosts (Array(String), empty for all),
--   start_ms, end_ms (Int64, Unix ms), rows_max (UInt32).
-- Columns: stack_id, value (ns), samples; all_value, all_samples, all_stacks (of all stacks, those not returned too).
SELECT
    stack_id,
    stack_value AS value,
    stack_samples AS samples,
    sum(stack_value) OVER () AS all_value,
    sum(stack_samples) OVER () AS all_samples,
    count() OVER () AS all_stacks
FROM
(
    SELECT stack_id, sum(value) AS stack_value, sum(count) AS stack_samples
    FROM samples
    WHERE service = {service:String}
        AND sample_type = {sample_type:String}
        AND (empty({versions:Array(String)}) OR has({versions:Array(String)}, version))
        AND ts >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
        AND (empty({hosts:Array(String)}) OR series_id IN
        (
            SELECT series_id FROM series WHERE service = {service:String} AND has({hosts:Array(String)}, host)
        ))
    GROUP BY stack_id
    HAVING stack_value > 0
)
ORDER BY value DESC, stack_id
LIMIT {rows_max:UInt32}
