-- How many rows each service has in the large tables.
-- Parameters: rows_max (UInt32).
-- Columns: service, name (of the table), rows.
SELECT service, name, rows
FROM
(
    SELECT service, 'samples' AS name, count() AS rows FROM samples GROUP BY service
    UNION ALL
    SELECT service, 'function_cost' AS name, count() AS rows FROM function_cost GROUP BY service
    UNION ALL
    SELECT service, 'spans' AS name, count() AS rows FROM spans GROUP BY service
    UNION ALL
    SELECT service, 'latency' AS name, count() AS rows FROM latency GROUP BY service
    UNION ALL
    SELECT service, 'logs' AS name, count() AS rows FROM logs GROUP BY service
)
ORDER BY rows DESC, service, name
LIMIT {rows_max:UInt32}
