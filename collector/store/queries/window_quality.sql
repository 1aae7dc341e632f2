-- How the windows of one service were sampled.
-- Parameters: service, sample_type (String), versions, hosts (Array(String), empty for all), start_s, end_s (UInt32, Unix s).
-- Columns: total_value, seen_value (unit of the samples), sampled_ns, samples, looks, late, lost, errors, unstable, cut; one
-- row, also where nothing is known.
SELECT
    sum(total_value) AS total_value,
    sum(seen_value) AS seen_value,
    sum(sampled_ns) AS sampled_ns,
    sum(samples) AS samples,
    sum(looks) AS looks,
    sum(late) AS late,
    sum(lost) AS lost,
    sum(errors) AS errors,
    sum(unstable) AS unstable,
    sum(cut) AS cut
FROM window_quality
WHERE service = {service:String}
    AND sample_type = {sample_type:String}
    AND (empty({versions:Array(String)}) OR has({versions:Array(String)}, version))
    AND (empty({hosts:Array(String)}) OR has({hosts:Array(String)}, host))
    AND bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
