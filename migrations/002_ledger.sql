-- What the recorder needs beside the specified table: who is recorded where, the ledger of segments, the parts of
-- the multipart upload, and the events that were heard. New time columns are TIMESTAMPTZ; media times are 90 kHz ticks.

ALTER TABLE recordings
    ADD COLUMN stream_key       TEXT,
    ADD COLUMN user_id          UUID,
    -- The key this recording owns in the bucket `recordings`, reserved when the row is created.
    ADD COLUMN object_key       TEXT,
    ADD COLUMN start_source     TEXT NOT NULL DEFAULT 'webhook',
    ADD COLUMN ended_at         TIMESTAMPTZ,
    -- When we heard of the end, on our clock: what may still come is judged by it, ended_at is what we were told.
    ADD COLUMN end_heard_at     TIMESTAMPTZ,
    ADD COLUMN end_source       TEXT,
    -- A generation is one making of the file; a remake (a late segment, a lost upload) begins the next.
    ADD COLUMN generation       INT NOT NULL DEFAULT 1,
    ADD COLUMN upload_id        TEXT,
    -- What the next roll continues from (run, timeline and carried packets), as the engine wrote it.
    ADD COLUMN engine_state     JSONB,
    ADD COLUMN playlist         JSONB,
    ADD COLUMN failure_code     TEXT,
    ADD COLUMN failure_message  TEXT,
    ADD COLUMN attempts         INT NOT NULL DEFAULT 0,
    ADD COLUMN next_attempt_at  TIMESTAMPTZ,
    ADD COLUMN lease_token      UUID,
    ADD COLUMN lease_until      TIMESTAMPTZ,
    ADD COLUMN last_segment_at  TIMESTAMPTZ,
    ADD COLUMN sha256           TEXT,
    -- Milliseconds and counts that only later readers (report, verification) need.
    ADD COLUMN facts            JSONB NOT NULL DEFAULT '{}'::jsonb,
    ADD COLUMN staging_removed_at TIMESTAMPTZ,
    ADD COLUMN created_at       TIMESTAMPTZ NOT NULL DEFAULT now(),
    ADD COLUMN updated_at       TIMESTAMPTZ NOT NULL DEFAULT now();

-- A stream has at most one recording that still takes segments; no two recordings ever own one key.
CREATE UNIQUE INDEX uq_recordings_active_stream ON recordings (stream_id) WHERE status = 'recording';
CREATE UNIQUE INDEX uq_recordings_object_key ON recordings (object_key) WHERE object_key IS NOT NULL;
CREATE UNIQUE INDEX uq_recordings_broadcast ON recordings (stream_id, started_at);
CREATE INDEX idx_recordings_stream_key ON recordings (stream_key, started_at);
CREATE INDEX idx_recordings_newest ON recordings (started_at DESC, id DESC);
CREATE INDEX idx_recordings_due ON recordings (next_attempt_at) WHERE status = 'processing';

-- One row a stream: what events of one stream are serialised on (a row lock, since proxies pin on advisory ones).
CREATE TABLE streams (
    stream_id  UUID PRIMARY KEY,
    stream_key TEXT NOT NULL,
    user_id    UUID,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE stream_events (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id   UUID NOT NULL,
    event       TEXT NOT NULL CHECK (event IN ('stream.started', 'stream.ended')),
    occurred_at TIMESTAMPTZ NOT NULL,
    source      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (stream_id, event, occurred_at, source)
);

-- The ledger: one row a segment of a recording, whatever became of it.
--   captured  staged, counts towards the file          late     staged, but came after its place was written
--   missing   known (playlist, numbering), not there   rejected stored as it came, carries no usable media
CREATE TABLE recording_segments (
    id                 BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recording_id       UUID NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    source_key         TEXT NOT NULL,
    source_etag        TEXT NOT NULL DEFAULT '',
    source_modified_at TIMESTAMPTZ,
    name_number        BIGINT,
    playlist_sequence  BIGINT,
    discontinuity      BOOLEAN NOT NULL DEFAULT FALSE,
    staged_key         TEXT,
    size               BIGINT NOT NULL DEFAULT 0,
    state              TEXT NOT NULL CHECK (state IN ('captured', 'missing', 'rejected', 'late')),
    reason             TEXT,
    first_dts90k       BIGINT,
    end_dts90k         BIGINT,
    duration_ms        INT NOT NULL DEFAULT 0,
    probe              JSONB,
    attempts           INT NOT NULL DEFAULT 0,
    next_attempt_at    TIMESTAMPTZ,
    -- Set when the segment has its place in the file: order in the recording, run, part of the upload.
    position           INT,
    run                INT,
    part_number        INT,
    captured_at        TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (recording_id, source_key, source_etag)
);
CREATE INDEX idx_segments_source ON recording_segments (source_key, source_etag);
CREATE INDEX idx_segments_open ON recording_segments (recording_id) WHERE state = 'captured' AND position IS NULL;

-- Parts of the multipart upload. Number, ETag, size and sample index are one row: a part exists with all or not at all.
-- Part 1 is held back (its media stays in staging) until the moov in front of it is known.
CREATE TABLE recording_parts (
    recording_id UUID NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    generation   INT NOT NULL,
    part_number  INT NOT NULL CHECK (part_number BETWEEN 1 AND 10000),
    etag         TEXT,
    held_key     TEXT,
    size         BIGINT NOT NULL,
    sample_index BYTEA NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (recording_id, generation, part_number)
);
