-- Segments that came after completion: few, and looked for with every round of the monitor.
CREATE INDEX idx_segments_late ON recording_segments (recording_id) WHERE state = 'late';
