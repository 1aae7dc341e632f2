-- Events of a range, the newest first: those that were told, and each release that was seen for the first time where no
-- deploy of it was told of within a day. The first release that is known of a service is no change of it.
-- Parameters: services, kinds (Array(String), empty for all; events of all services always come along),
--   versions (Array(String), empty for all: of deploys), start_ms, end_ms (Int64, Unix ms),
--   rows_max (UInt32).
-- Columns: event_id ('' for releases seen), kind, service, environment, version, time_ms (Unix ms), title, text, url,
--   source, commits, functions, files, first_lines, last_lines, touches (the last five: arrays of one length).
SELECT *
FROM
(
    SELECT
        event_id, kind, service, environment, version, toUnixTimestamp64Milli(ts) AS time_ms, title, text, url, source,
        commits, functions, files, first_lines, last_lines, touches
    FROM events FINAL
    WHERE (empty({services:Array(String)}) OR service = '' OR has({services:Array(String)}, service))
        AND (empty({kinds:Array(String)}) OR has({kinds:Array(String)}, kind))
        AND (empty({versions:Array(String)}) OR kind != 'deploy' OR has({versions:Array(String)}, version))
        AND ts >= fromUnixTimestamp64Milli({start_ms:Int64}, 'UTC')
        AND ts < fromUnixTimestamp64Milli({end_ms:Int64}, 'UTC')
    UNION ALL
    SELECT
        '' AS event_id, 'deploy' AS kind, service, '' AS environment, version, first_s * 1000 AS time_ms,
        '' AS title, '' AS text, '' AS url, 'seen' AS source,
        [] AS commits, [] AS functions, [] AS files, [] AS first_lines, [] AS last_lines, [] AS touches
    FROM
    (
        SELECT
            service, version, toInt64(toUnixTimestamp(min(first))) AS first_s,
            min(first_s) OVER (PARTITION BY service) AS earliest_s
        FROM releases_seen
        WHERE (empty({services:Array(String)}) OR has({services:Array(String)}, service)) AND version != ''
        GROUP BY service, version
    ) AS seen
    LEFT JOIN
    (
        SELECT service AS of_service, version AS of_version, groupArray(toUnixTimestamp(ts)) AS told_s
        FROM events FINAL
        WHERE kind = 'deploy' AND version != ''
        GROUP BY service, version
    ) AS told ON told.of_service = seen.service AND told.of_version = seen.version
    WHERE (empty({kinds:Array(String)}) OR has({kinds:Array(String)}, 'deploy'))
        AND (empty({versions:Array(String)}) OR has({versions:Array(String)}, version))
        AND first_s > earliest_s
        AND first_s * 1000 >= {start_ms:Int64} AND first_s * 1000 < {end_ms:Int64}
        AND NOT arrayExists(one_s -> abs(one_s - first_s) <= 86400, told_s)
)
ORDER BY time_ms DESC, event_id, service, version
LIMIT {rows_max:UInt32}
