/** What watching and reporting read of the ledger, in plain SQL; it writes nothing. */
import type { Queryable } from '../platform/database.ts';

/**
 * A word for the state of a recording's ledger: equal words, equal rows. Cheap beside reading the rows, since it reads no probe.
 */
export async function ledgerState(db: Queryable, recordingId: string): Promise<string> {
  const result = await db.query<{ state: string }>(
    `SELECT concat_ws('/', count(*), max(s.id), count(s.position), sum(s.attempts),
                      count(*) FILTER (WHERE s.state = 'captured'), count(s.playlist_sequence), count(*) FILTER (WHERE s.discontinuity),
                      (SELECT concat_ws('/', r.status, r.generation, r.staging_removed_at IS NULL) FROM recordings r WHERE r.id = $1)) AS state
       FROM recording_segments s WHERE s.recording_id = $1`,
    [recordingId],
  );
  return result.rows[0]?.state ?? '';
}

/** The SHA-256 of a recording's present file in lower-case hexadecimal; null until it is known. */
export async function findFileHash(db: Queryable, recordingId: string): Promise<string | null> {
  const result = await db.query<{ sha256: string | null }>(
    `SELECT r.sha256 FROM recordings r JOIN recording_hashes h ON h.recording_id = r.id AND h.generation = r.generation
      WHERE r.id = $1 AND r.status = 'completed'`,
    [recordingId],
  );
  return result.rows[0]?.sha256 ?? null;
}

/** Whether the captured segments of a recording are gone. */
export async function findPlayback(db: Queryable, recordingId: string): Promise<{ stagingRemoved: boolean }> {
  const result = await db.query<{ removed: boolean }>(
    'SELECT staging_removed_at IS NOT NULL AS removed FROM recordings WHERE id = $1',
    [recordingId],
  );
  return { stagingRemoved: result.rows[0]?.removed ?? false };
}

/** Where a captured segment is staged. */
export async function findSegmentMedia(
  db: Queryable,
  recordingId: string,
  segmentId: number,
): Promise<{ stagedKey: string; size: number } | null> {
  const result = await db.query<{ stagedKey: string; size: number }>(
    `SELECT staged_key AS "stagedKey", size FROM recording_segments
      WHERE recording_id = $1 AND id = $2 AND state IN ('captured', 'late') AND staged_key IS NOT NULL`,
    [recordingId, segmentId],
  );
  return result.rows[0] ?? null;
}

/** The size of a recording's picture as a segment with one tells, of the first and the last ones; null where they have only sound. */
export async function findPictureSize(
  db: Queryable,
  recordingId: string,
): Promise<{ width: number | null; height: number | null } | null> {
  const result = await db.query<{ width: number | null; height: number | null }>(
    `SELECT (track->>'width')::int AS width, (track->>'height')::int AS height
       FROM ((SELECT probe FROM recording_segments WHERE recording_id = $1 AND state = 'captured' ORDER BY id LIMIT 10)
             UNION ALL
             (SELECT probe FROM recording_segments WHERE recording_id = $1 AND state = 'captured' ORDER BY id DESC LIMIT 10)) s,
            jsonb_array_elements(s.probe->'tracks') AS track
      WHERE track->>'kind' = 'video' LIMIT 1`,
    [recordingId],
  );
  return result.rows[0] ?? null;
}
