-- For the people who watch: the hash of each file, pictures, and the files that are cut out of recordings.

-- How far the SHA-256 of a recording's file has come: the state of the hash after hashed_bytes, so that a file of any
-- size is hashed a piece at a time. recordings.sha256 is set when it is known; it is that of this generation.
CREATE TABLE recording_hashes (
    recording_id UUID PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
    generation   INT NOT NULL,
    object_etag  TEXT NOT NULL DEFAULT '',
    hashed_bytes BIGINT NOT NULL DEFAULT 0,
    state        BYTEA,
    lease_until  TIMESTAMPTZ
);
CREATE INDEX idx_recordings_unhashed ON recordings (completed_at) WHERE status = 'completed';

-- Poster and storyboard: which tiles there are, and where they stand. Tiles are at every interval_ms from the start.
CREATE TABLE recording_pictures (
    recording_id   UUID PRIMARY KEY REFERENCES recordings (id) ON DELETE CASCADE,
    interval_ms    INT NOT NULL,
    tile_width     INT NOT NULL DEFAULT 0,
    tile_height    INT NOT NULL DEFAULT 0,
    -- Media time and size in bytes of each tile that was made, in order; sizes say which one shows most.
    tiles          JSONB NOT NULL DEFAULT '[]'::jsonb,
    -- The tiles that the stored sprite shows and their interval, and how much media it covers; 0 while there is none.
    sprite_tiles       INT NOT NULL DEFAULT 0,
    sprite_interval_ms INT NOT NULL DEFAULT 0,
    sprite_ms          BIGINT NOT NULL DEFAULT 0,
    sprite_version     INT NOT NULL DEFAULT 0,
    -- Media time of the poster's picture; null while there is none.
    poster_at_ms   BIGINT,
    done           BOOLEAN NOT NULL DEFAULT FALSE,
    lease_until    TIMESTAMPTZ,
    updated_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Files cut out of a recording without transcoding: clips, and its sound alone.
CREATE TABLE recording_cuts (
    id           UUID PRIMARY KEY,
    recording_id UUID NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('clip', 'audio')),
    -- Of which making of the recording's file; a clip of a running recording says 0.
    generation   INT NOT NULL DEFAULT 0,
    title        TEXT,
    start_ms     BIGINT NOT NULL,
    end_ms       BIGINT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('pending', 'ready', 'failed')) DEFAULT 'pending',
    object_key   TEXT NOT NULL UNIQUE,
    -- Where it really begins (the key frame before start_ms) and how long it plays, once it is made.
    from_ms      BIGINT,
    duration_ms  BIGINT,
    size         BIGINT,
    failure      TEXT,
    attempts     INT NOT NULL DEFAULT 0,
    -- An upload that goes on in the next round: id, ETag of the source that it reads, and the parts that are stored.
    upload_id    TEXT,
    source_etag  TEXT,
    parts        JSONB NOT NULL DEFAULT '[]'::jsonb,
    lease_until  TIMESTAMPTZ,
    created_at   TIMESTAMPTZ NOT NULL,
    ready_at     TIMESTAMPTZ
);
CREATE INDEX idx_cuts_recording ON recording_cuts (recording_id, created_at DESC);
CREATE INDEX idx_cuts_pending ON recording_cuts (created_at) WHERE status = 'pending';
CREATE UNIQUE INDEX uq_cuts_audio ON recording_cuts (recording_id, generation) WHERE kind = 'audio';
