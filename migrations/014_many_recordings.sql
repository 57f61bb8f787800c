-- Kept for ever, recordings are a hundred thousand some day: each round of the monitor asks for the few that it has to work on.

CREATE INDEX idx_recordings_staged ON recordings (completed_at) WHERE status = 'completed' AND staging_removed_at IS NULL;
CREATE INDEX idx_recordings_finished ON recordings (completed_at) WHERE status IN ('completed', 'failed');

-- A hash that is noted is that of the present file. Until now one of the file before could stay.
UPDATE recordings r SET sha256 = NULL
  FROM recording_hashes h
 WHERE h.recording_id = r.id AND r.sha256 IS NOT NULL AND (h.generation <> r.generation OR h.state IS NOT NULL);
DROP INDEX idx_recordings_unhashed;
CREATE INDEX idx_recordings_unhashed ON recordings (completed_at) WHERE status = 'completed' AND sha256 IS NULL;
