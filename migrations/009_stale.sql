-- Recordings that STALE_TIMEOUT has ended are looked at each minute: their streams may go on.

CREATE INDEX idx_recordings_stale ON recordings (ended_at) WHERE end_source = 'stale';
