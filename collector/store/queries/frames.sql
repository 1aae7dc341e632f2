-- What frame ids stand for.
-- Parameters: frame_ids (Array(UInt64)).
-- Columns: frame_id, function, file, line, frame_type.
SELECT
    frame_id,
    any(frames.function) AS function,
    any(frames.file) AS file,
    any(frames.line) AS line,
    any(frames.frame_type) AS frame_type
FROM frames
WHERE frame_id IN (SELECT arrayJoin({frame_ids:Array(UInt64)}))
GROUP BY frame_id
