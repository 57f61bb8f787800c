-- Connections of publishers, as the hooks of streaming servers tell of them: which start is told twice, and whose end
-- comes after another connection has taken the stream over. Rows go a day after their end.

CREATE TABLE stream_sessions (
    stream_id  UUID NOT NULL,
    -- As the server names it; empty where it names none.
    session    TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at   TIMESTAMPTZ,
    PRIMARY KEY (stream_id, session, started_at)
);
