-- Backups of this database since the engine started, the newest first.
-- Parameters: rows_max (UInt32).
-- Columns: name, status (CREATING_BACKUP, BACKUP_CREATED, BACKUP_FAILED, BACKUP_CANCELLED), error, stored_bytes,
--   started_ms (Unix ms).
SELECT
    splitByChar('/', extract(b.name, '^File\\(\'(.*)\'\\)'))[2] AS name,
    toString(b.status) AS status,
    b.error AS error,
    b.total_size AS stored_bytes,
    toUnixTimestamp64Milli(toDateTime64(b.start_time, 3)) AS started_ms
FROM system.backups AS b
WHERE startsWith(b.name, concat('File(\'', currentDatabase(), '/')) AND toString(b.status) NOT LIKE 'RESTOR%'
ORDER BY started_ms DESC, name
LIMIT {rows_max:UInt32}
