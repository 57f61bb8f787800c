-- What others are told: an event for each change of a recording's state that they may care for, written by a trigger
-- in the same transaction as the change itself. A trigger and not the service's code, since no path can forget it:
-- webhook, poller, finalizer, retry and an operator's own SQL all leave their event, or none of them happened.

CREATE TABLE recording_events (
    id            UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    -- In the order of writing; within a recording the order of its changes, which its row lock makes one after another.
    position      BIGINT GENERATED ALWAYS AS IDENTITY,
    recording_id  UUID NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    -- 1, 2, 3 … within the recording, without holes: a receiver sees what it missed.
    sequence      INT NOT NULL,
    type          TEXT NOT NULL CHECK (type IN ('recording.started', 'recording.completed', 'recording.failed', 'recording.reopened')),
    occurred_at   TIMESTAMPTZ NOT NULL,
    data          JSONB NOT NULL,
    -- Null until a delivery to each target was planned.
    fanned_out_at TIMESTAMPTZ,
    UNIQUE (recording_id, sequence)
);
CREATE INDEX idx_events_fresh ON recording_events (position) WHERE fanned_out_at IS NULL;

-- One row an event and target. Open while both delivered_at and dead_at are null; next_attempt_at is the lease of an
-- attempt under way, too.
CREATE TABLE event_deliveries (
    event_id        UUID NOT NULL REFERENCES recording_events (id) ON DELETE CASCADE,
    target          TEXT NOT NULL,
    recording_id    UUID NOT NULL,
    sequence        INT NOT NULL,
    attempts        INT NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ NOT NULL,
    give_up_at      TIMESTAMPTZ NOT NULL,
    delivered_at    TIMESTAMPTZ,
    dead_at         TIMESTAMPTZ,
    last_error      TEXT,
    PRIMARY KEY (event_id, target)
);
CREATE INDEX idx_deliveries_open ON event_deliveries (target, next_attempt_at) WHERE delivered_at IS NULL AND dead_at IS NULL;
CREATE INDEX idx_deliveries_order ON event_deliveries (recording_id, target, sequence);

-- Imports into the VOD Service that are under way or were tried: who works on one, and when the next may come.
CREATE TABLE recording_imports (
    recording_id    UUID PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
    claimed_until   TIMESTAMPTZ,
    attempts        INT NOT NULL DEFAULT 0,
    next_attempt_at TIMESTAMPTZ,
    -- Set when the VOD Service refused it for good: automatic imports pass it over.
    refused_at      TIMESTAMPTZ,
    last_error      TEXT
);

-- A time as the API gives it. TIMESTAMP columns of recordings hold UTC.
CREATE FUNCTION recording_time(moment TIMESTAMP) RETURNS TEXT LANGUAGE sql IMMUTABLE AS
$$ SELECT to_char(moment, 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;

CREATE FUNCTION record_recording_event() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    event_type TEXT;
    next_sequence INT;
    told JSONB;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.status IS NOT DISTINCT FROM OLD.status THEN
        RETURN NULL;
    END IF;
    event_type := CASE
        WHEN NEW.status = 'completed' THEN 'recording.completed'
        WHEN NEW.status = 'failed' THEN 'recording.failed'
        WHEN TG_OP = 'INSERT' THEN 'recording.started'
        WHEN OLD.status IN ('completed', 'failed') THEN 'recording.reopened'
    END;
    -- The end of a stream and its coming back within RECONNECT_WINDOW are no news: the recording goes on.
    IF event_type IS NULL THEN
        RETURN NULL;
    END IF;
    -- Changes of one recording come one after another, by the lock of its row.
    SELECT coalesce(max(sequence), 0) + 1 INTO next_sequence FROM recording_events WHERE recording_id = NEW.id;
    told := jsonb_build_object('sequence', next_sequence, 'recording', jsonb_build_object(
        'id', NEW.id, 'stream_id', NEW.stream_id, 'video_id', NEW.video_id, 'file_path', NEW.file_path,
        'duration', coalesce(NEW.duration, 0), 'file_size', coalesce(NEW.file_size, 0), 'status', NEW.status,
        'started_at', recording_time(NEW.started_at), 'completed_at', recording_time(NEW.completed_at)));
    IF event_type = 'recording.failed' THEN
        told := told || jsonb_build_object('failure', jsonb_build_object('code', coalesce(NEW.failure_code, 'UNKNOWN')));
    END IF;
    INSERT INTO recording_events (recording_id, sequence, type, occurred_at, data)
    VALUES (NEW.id, next_sequence, event_type, NEW.updated_at, told);
    RETURN NULL;
END $$;

CREATE TRIGGER recordings_tell AFTER INSERT OR UPDATE OF status ON recordings
    FOR EACH ROW EXECUTE FUNCTION record_recording_event();
