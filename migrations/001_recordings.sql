-- The table as specified. A database that has it already (the VOD Service's, an earlier recorder's) keeps it, with its rows.
DO $$ BEGIN
    CREATE TYPE recording_status AS ENUM ('recording', 'processing', 'completed', 'failed');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
CREATE TABLE IF NOT EXISTS recordings (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    stream_id UUID, video_id UUID,
    file_path TEXT NOT NULL,
    duration INT DEFAULT 0, file_size BIGINT DEFAULT 0,
    status recording_status DEFAULT 'recording',
    started_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, completed_at TIMESTAMP
);
CREATE INDEX IF NOT EXISTS idx_recordings_stream_id ON recordings(stream_id);
CREATE INDEX IF NOT EXISTS idx_recordings_status ON recordings(status);
CREATE INDEX IF NOT EXISTS idx_recordings_video_id ON recordings(video_id);
