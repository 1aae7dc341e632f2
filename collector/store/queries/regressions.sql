-- Regressions as they are now, the last to begin first.
-- Parameters: ticket_ids, services, states (Array(String), empty for all), only_open (UInt8), rows_max (UInt32).
-- Columns: content (a ticket as JSON).
SELECT content
FROM regressions FINAL
WHERE (empty({ticket_ids:Array(String)}) OR has({ticket_ids:Array(String)}, ticket_id))
    AND (empty({services:Array(String)}) OR has({services:Array(String)}, service))
    AND (empty({states:Array(String)}) OR has({states:Array(String)}, state))
    AND ({only_open:UInt8} = 0 OR is_open)
ORDER BY is_open DESC, began DESC, ticket_id
LIMIT {rows_max:UInt32}
