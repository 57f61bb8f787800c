-- The last segments that have their place in the file, and those that have none: what each part and each sweep reads.
CREATE INDEX idx_segments_position ON recording_segments (recording_id, position);
