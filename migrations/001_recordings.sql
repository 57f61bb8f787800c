CREATE TYPE recording_status AS ENUM ('recording', 'processing', 'completed', 'failed');
CREATE TABLE recordings (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    stream_id UUID, video_id UUID,
    file_path TEXT NOT NULL,
    duration INT DEFAULT 0, file_size BIGINT DEFAULT 0,
    status recording_status DEFAULT 'recording',
    started_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, completed_at TIMESTAMP
);
CREATE INDEX idx_recordings_stream_id ON recordings(stream_id);
CREATE INDEX idx_recordings_status ON recordings(status);
CREATE INDEX idx_recordings_video_id ON recordings(video_id);
