-- What the tables take on the disk, the largest first.
-- Parameters: none.
-- Columns: name, rows, stored_bytes (on the disk, compressed), raw_bytes (uncompressed), parts.
SELECT
    table AS name,
    sum(rows) AS rows,
    sum(bytes_on_disk) AS stored_bytes,
    sum(data_uncompressed_bytes) AS raw_bytes,
    count() AS parts
FROM system.parts
WHERE active AND database = currentDatabase() AND table != 'migrations' AND parts.rows > 0
GROUP BY name
ORDER BY stored_bytes DESC, name
