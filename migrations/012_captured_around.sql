-- Where a stream key has several recordings, each segment is compared with those of each that have a number or a time
-- near its own (lib/recordings/captured-around.ts): a few of the tens of thousands that a day has.
CREATE INDEX idx_segments_name_number ON recording_segments (recording_id, name_number);
CREATE INDEX idx_segments_first_dts ON recording_segments (recording_id, first_dts90k);
CREATE INDEX idx_segments_end_dts ON recording_segments (recording_id, end_dts90k);
