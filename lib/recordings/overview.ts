/**
 * What an operator has to know at a glance: how many recordings are under way or have failed, and which ones need a look, with
 * the reason. Completed recordings are not counted: there may be millions of them.
 */
import { z } from 'zod';
import { statusSchema } from './api-schemas.ts';
import { nowOf, type RecordingContext } from './context.ts';
import type { RecordingStatus } from './recording.ts';
import { publicMessage } from './report.ts';

/** A live recording for which nothing came for this long is told; STALE_TIMEOUT ends it much later. */
const SILENT_MS = 60_000;
/** What lies longer ago has been seen, or is found by its filter. */
const LOOK_BACK_MS = 30 * 86_400_000;
const MOST = 200;

const count = z.int().min(0);

export const overviewSchema = z
  .object({
    recordings: z.object({ recording: count, processing: count, failed: count }),
    attention: z
      .array(
        z.object({
          recording_id: z.uuid(),
          status: statusSchema,
          problem: z
            .enum(['failed', 'retrying', 'silent', 'incomplete'])
            .describe(
              'failed: for good, until a retry. retrying: it goes on by itself. silent: live, and no segment for a minute. incomplete: completed with gaps',
            ),
          code: z.string().nullable().describe('Of failed and retrying'),
          message: z.string(),
        }),
      )
      .describe(`Newest first, at most ${MOST}, of the last 30 days`),
  })
  .meta({ id: 'Overview' });

export const overviewAnswer = z.object({ overview: overviewSchema });

export type Overview = z.output<typeof overviewSchema>;
type Attention = Overview['attention'][number];

interface Row extends Record<string, unknown> {
  readonly id: string;
  readonly status: RecordingStatus;
  readonly code: string | null;
  readonly message: string | null;
  readonly isSilent: boolean;
  readonly lost: number;
}

/** Reads the overview; each part of the statement has its index. */
export async function readOverview(context: Pick<RecordingContext, 'db' | 'clock' | 'config'>): Promise<Overview> {
  const counts = await context.db.query<{ status: RecordingStatus; count: number }>(
    `SELECT status, count(*)::int AS count FROM recordings WHERE status IN ('recording', 'processing', 'failed') GROUP BY status`,
  );
  const rows = await context.db.query<Row>(
    `WITH lost AS (
       -- A segment that is tried again is not lost yet; one that came twice is there.
       SELECT recording_id, count(*)::int AS count FROM recording_segments
        WHERE state IN ('missing', 'rejected') AND (state = 'rejected' OR attempts >= $3) AND coalesce(reason, '') NOT LIKE 'DUPLICATE%'
        GROUP BY recording_id)
     SELECT r.id, r.status, r.failure_message AS message,
            -- One that is made anew, or has ended, is no more what its last error says.
            CASE WHEN r.status = 'failed' OR r.attempts > 0 THEN r.failure_code END AS code,
            r.status = 'recording' AND coalesce(r.last_segment_at, r.created_at) < $1 AS "isSilent", coalesce(lost.count, 0) AS lost
       FROM recordings r LEFT JOIN lost ON lost.recording_id = r.id
      WHERE r.started_at >= ($2::timestamptz AT TIME ZONE 'UTC')
        AND (r.status = 'failed' OR lost.count > 0 OR (r.attempts > 0 AND r.failure_code IS NOT NULL)
             OR (r.status = 'recording' AND coalesce(r.last_segment_at, r.created_at) < $1))
      ORDER BY r.started_at DESC, r.id DESC LIMIT ${MOST}`,
    [nowOf(context, -SILENT_MS), nowOf(context, -LOOK_BACK_MS), context.config.MAX_RETRY_ATTEMPTS],
  );
  const of = (status: RecordingStatus) => counts.rows.find((row) => row.status === status)?.count ?? 0;
  return {
    recordings: { recording: of('recording'), processing: of('processing'), failed: of('failed') },
    attention: rows.rows.map(attentionOf),
  };
}

/** The gravest of what there is to say. */
function attentionOf({ id, status, code, message, isSilent, lost }: Row): Attention {
  const one = { recording_id: id, status };
  if (status !== 'completed' && code !== null) {
    const problem = status === 'failed' ? 'failed' : 'retrying';
    return { ...one, problem, code, message: publicMessage(code, message) };
  }
  if (isSilent) return { ...one, problem: 'silent', code: null, message: 'No segment has come for a minute' };
  if (status === 'failed') return { ...one, problem: 'failed', code: null, message: 'The reason is not known' };
  return {
    ...one,
    problem: 'incomplete',
    code: null,
    message: `${lost} ${lost === 1 ? 'segment' : 'segments'} missing`,
  };
}
