-- Of which making of the recording's file its pictures are: a late segment moves the times of all that follow it.
ALTER TABLE recording_pictures ADD COLUMN generation INT NOT NULL DEFAULT 0;
UPDATE recording_pictures p SET generation = r.generation FROM recordings r WHERE r.id = p.recording_id;
