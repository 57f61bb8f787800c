/** The video in the VOD Service that a recording became. */
import { nowOf, type RecordingContext } from './context.ts';
import { RecordingNotFound, WrongState } from './errors.ts';

/**
 * Sets or takes away a recording's video.
 * @throws {RecordingNotFound} {WrongState} where it is not completed
 */
export async function setVideo(context: RecordingContext, recordingId: string, videoId: string | null): Promise<void> {
  const result = await context.db.query<{ status: string; changed: boolean }>(
    `WITH changed AS (
       UPDATE recordings SET video_id = $2, updated_at = $3
        WHERE id = $1 AND (status = 'completed' OR $2::uuid IS NULL) RETURNING id)
     SELECT status::text, EXISTS (SELECT 1 FROM changed) AS changed FROM recordings WHERE id = $1`,
    [recordingId, videoId, nowOf(context)],
  );
  const row = result.rows[0];
  if (!row) throw new RecordingNotFound(`There is no recording ${recordingId}`);
  if (!row.changed) throw new WrongState(`The recording is ${row.status}; only a completed one becomes a video`);
}
