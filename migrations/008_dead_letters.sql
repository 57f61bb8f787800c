-- Messages that failed on every delivery, and what became of them: counted in the metrics, each once however often it
-- is worked on.

CREATE TABLE dead_letters (
    message_id   TEXT PRIMARY KEY,
    recording_id UUID,
    -- repeated: its work was done again · failed: its recording is given up · dropped: there is nothing (more) to do
    outcome      TEXT NOT NULL,
    drained_at   TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_dead_letters_drained_at ON dead_letters (drained_at);
