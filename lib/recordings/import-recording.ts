/**
 * Imports of recordings into the VOD Service: one at a time for each recording, and none for one that has its video.
 * The claim in `recording_imports` keeps two callers from making two videos; a claim of somebody who died runs out.
 */
import { ServiceError } from '../platform/errors.ts';
import type { ImportRequest } from '../services/vod-service.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { ImportUnderWay, RecordingNotFound, WrongState } from './errors.ts';

/** How a video is to appear. */
export type ImportWish = Omit<ImportRequest, 'recording_id'>;

const AUTO_AT_ONCE = 5;
const BACKOFF_MIN_MS = 10_000;
const BACKOFF_MAX_MS = 10 * 60_000;
/** Beyond the time of the call itself, for the two writes around it. */
const CLAIM_SLACK_MS = 30_000;

/**
 * Imports a completed recording with a bearer token and returns the video's id; one that was imported already is not
 * imported again.
 * @throws {RecordingNotFound} {WrongState} {ImportUnderWay} {TokenRefused} {ImportRefused} {NeighbourUnavailable}
 */
export async function importRecording(
  context: RecordingContext,
  recordingId: string,
  token: string,
  wish: ImportWish,
): Promise<string> {
  const recording = await context.recordings.find(recordingId);
  if (!recording) throw new RecordingNotFound(`There is no recording ${recordingId}`);
  if (recording.videoId) return recording.videoId;
  if (recording.status !== 'completed') {
    throw new WrongState(`The recording is ${recording.status}; only a completed one can be imported`);
  }
  if (!(await claim(context, recordingId)))
    throw new ImportUnderWay('The recording is being imported, try again later');
  try {
    // Who held the claim before us may have finished in between.
    const since = await context.recordings.find(recordingId);
    if (since?.videoId) return since.videoId;
    const videoId = await context.vod.importRecording(token, { recording_id: recordingId, ...wish });
    return await storeVideo(context, recordingId, videoId);
  } finally {
    await context.db.query('UPDATE recording_imports SET claimed_until = NULL WHERE recording_id = $1', [recordingId]);
  }
}

/** AUTO_IMPORT: a round of imports of recordings that were completed within RETRY_FOR; older ones want a caller. */
export async function importDue(context: RecordingContext): Promise<void> {
  const { AUTO_IMPORT: enabled, VOD_SERVICE_TOKEN: token, RETRY_FOR: windowMs } = context.config;
  if (!enabled || !token) return;
  for (const due of await findDue(context, nowOf(context, -windowMs))) {
    try {
      const videoId = await importRecording(context, due.id, token, automaticWish(due.startedAt));
      context.logger.info({ recording_id: due.id, video_id: videoId }, 'Imported a recording into the VOD Service');
    } catch (error) {
      if (error instanceof ImportUnderWay) continue;
      await noteFailure(context, due, error);
      // A token that is not accepted, or a service that is down, will not be better for the next recording.
      if (!(error instanceof ServiceError && error.code === 'IMPORT_REFUSED')) return;
    }
  }
}

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

function automaticWish(startedAt: Date): ImportWish {
  const title = `Recording of ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return { title, description: '', category: 'general', visibility: 'private' };
}

async function claim(context: RecordingContext, recordingId: string): Promise<boolean> {
  const until = nowOf(context, context.config.VOD_SERVICE_TIMEOUT + CLAIM_SLACK_MS);
  const result = await context.db.query(
    `INSERT INTO recording_imports AS i (recording_id, claimed_until, attempts) VALUES ($1, $2, 1)
     ON CONFLICT (recording_id) DO UPDATE SET claimed_until = $2, attempts = i.attempts + 1
      WHERE coalesce(i.claimed_until, '-infinity') <= $3`,
    [recordingId, until, nowOf(context)],
  );
  return result.rowCount === 1;
}

/** The first video stays: the VOD Service may have told us of it itself while it answered. */
async function storeVideo(context: RecordingContext, recordingId: string, videoId: string): Promise<string> {
  const result = await context.db.query<{ videoId: string }>(
    `UPDATE recordings SET video_id = coalesce(video_id, $2), updated_at = $3 WHERE id = $1 RETURNING video_id AS "videoId"`,
    [recordingId, videoId, nowOf(context)],
  );
  return result.rows[0]?.videoId ?? videoId;
}

interface DueImport {
  readonly id: string;
  readonly startedAt: Date;
  readonly attempts: number;
}

async function findDue(context: RecordingContext, completedSince: Date): Promise<DueImport[]> {
  const result = await context.db.query<DueImport & Record<string, unknown>>(
    `SELECT r.id, r.started_at AS "startedAt", coalesce(i.attempts, 0) AS attempts
       FROM recordings r LEFT JOIN recording_imports i ON i.recording_id = r.id
      WHERE r.status = 'completed' AND r.video_id IS NULL AND r.completed_at >= ($1::timestamptz AT TIME ZONE 'UTC')
        AND i.refused_at IS NULL AND coalesce(i.next_attempt_at, '-infinity') <= $2
      ORDER BY r.completed_at LIMIT $3`,
    [completedSince, nowOf(context), AUTO_AT_ONCE],
  );
  return result.rows;
}

async function noteFailure(context: RecordingContext, due: DueImport, error: unknown): Promise<void> {
  const refused = error instanceof ServiceError && error.code === 'IMPORT_REFUSED';
  const delayMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(due.attempts, 10));
  context.logger.error(
    { err: error, recording_id: due.id, next_attempt_in_ms: refused ? null : delayMs },
    'Could not import a recording into the VOD Service',
  );
  await context.db.query(
    'UPDATE recording_imports SET next_attempt_at = $2, refused_at = $3, last_error = $4 WHERE recording_id = $1',
    [due.id, nowOf(context, delayMs), refused ? nowOf(context) : null, String((error as Error).message).slice(0, 500)],
  );
}
