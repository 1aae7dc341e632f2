-- Requests (server spans) of every service that sent spans, the busiest first.
-- Parameters: start_s, end_s (UInt32, Unix s, whole 10 s buckets), rows_max (UInt32).
-- Columns: service, versions (array), first_s, last_s (Unix s, starts of the first and last bucket), requests, errors,
--   hist_indexes and hist_counts (arrays of one length, the latency histogram of the requests).
SELECT
    service,
    arraySort(groupUniqArrayArray(1000)(versions_of_bin)) AS versions,
    min(first_of_bin) AS first_s,
    max(last_of_bin) AS last_s,
    sum(requests_of_bin) AS requests,
    sum(errors_of_bin) AS errors,
    groupArray(hist_index) AS hist_indexes,
    groupArray(requests_of_bin) AS hist_counts
FROM
(
    SELECT
        service,
        hist_index,
        groupUniqArray(1000)(version) AS versions_of_bin,
        toUnixTimestamp(min(bucket)) AS first_of_bin,
        toUnixTimestamp(max(bucket)) AS last_of_bin,
        sumIf(count, kind = 'server') AS requests_of_bin,
        sumIf(errors, kind = 'server') AS errors_of_bin
    FROM latency
    WHERE bucket >= toDateTime({start_s:UInt32}, 'UTC') AND bucket < toDateTime({end_s:UInt32}, 'UTC')
    GROUP BY service, hist_index
)
GROUP BY service
ORDER BY requests DESC, service
LIMIT {rows_max:UInt32}
