-- The frames of stacks.
-- Parameters: stack_ids (Array(UInt64)).
-- Columns: stack_id, frame_ids (array, root first).
SELECT stack_id, any(stacks.frame_ids) AS frame_ids
FROM stacks
WHERE stack_id IN (SELECT arrayJoin({stack_ids:Array(UInt64)}))
GROUP BY stack_id
