-- What watches over the service asks often, of a ledger that only grows: each of these questions has its index.

-- What is missing, of which recording: few of many rows.
CREATE INDEX idx_segments_lost ON recording_segments (recording_id) WHERE state IN ('missing', 'rejected');
-- The metrics of the last minutes.
CREATE INDEX idx_segments_captured_at ON recording_segments (captured_at);
CREATE INDEX idx_recordings_sizes ON recordings (status) INCLUDE (file_size);
