/** Reads for the API: recordings as the specification gives them, all at once or page by page. */
import { z } from 'zod';
import { statusSchema, uuid } from './api-schemas.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { RecordingNotFound, WrongState } from './errors.ts';
import { type PublicRecording, type Recording, toPublicRecording } from './recording.ts';

/** More than this in one answer is more than a function may send (6 MB); older ones are reached by paging. */
const MAX_LIST = 10_000;
const MAX_PAGE = 1000;

/** Start and id of the last row of a page, written so that nobody takes it for more than it is. */
const CURSOR = /^((?!0000)\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?)\/([0-9a-f-]{36})$/;

interface Cursor {
  readonly startedAt: string;
  readonly id: string;
}

/** The optional parameters of `GET /recordings`. */
export const listQuery = z.object({
  limit: z.coerce
    .number('must be a whole number')
    .int('must be a whole number')
    .min(1, `must be from 1 to ${MAX_PAGE}`)
    .max(MAX_PAGE, `must be from 1 to ${MAX_PAGE}`)
    .optional()
    .describe('Recordings in one answer; without it there are all, up to 10,000'),
  cursor: z
    .string()
    .transform((text, context): Cursor => {
      const cursor = readCursor(text);
      if (cursor) return cursor;
      context.addIssue({ code: 'custom', message: 'must be the cursor of a Link header' });
      return z.NEVER;
    })
    .optional()
    .describe('From the `Link: …; rel="next"` of the page before'),
  status: statusSchema.optional(),
  stream_id: uuid.optional(),
});

export type ListQuery = z.output<typeof listQuery>;

export interface RecordingPage {
  readonly recordings: PublicRecording[];
  /** The cursor of the next page; null on the last one. */
  readonly next: string | null;
}

/** Recordings, newest first. Pages stay where they are while recordings are added. */
export async function listRecordings(
  context: Pick<RecordingContext, 'recordings' | 'db'>,
  query: ListQuery = {},
): Promise<RecordingPage> {
  const limit = query.limit ?? MAX_LIST;
  const rows = await context.recordings.list({
    limit: limit + 1,
    status: query.status,
    streamId: query.stream_id,
    before: query.cursor,
  });
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    recordings: page.map(toPublicRecording),
    next: rows.length > limit && last ? await cursorOf(context, last) : null,
  };
}

/** @throws {RecordingNotFound} */
export async function getRecording(
  context: Pick<RecordingContext, 'recordings'>,
  id: string,
): Promise<PublicRecording> {
  return toPublicRecording(await findRecording(context, id));
}

/**
 * A link to a recording's file that works for DOWNLOAD_LINK_TTL, in private buckets too. A recording that is being
 * made anew still has its earlier file.
 * @throws {RecordingNotFound} {WrongState} where there is no file yet
 */
export async function downloadLink(context: RecordingContext, id: string): Promise<string> {
  const recording = await findRecording(context, id);
  if (recording.filePath === '') throw new WrongState(`The recording is ${recording.status}; it has no file yet`);
  const [bucket = '', ...key] = recording.filePath.split('/');
  const startedAt = recording.startedAt.toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return context.links.linkTo({
    bucket,
    key: key.join('/'),
    // Not the object's own name: that holds the stream key, and links are passed on.
    fileName: `recording-${startedAt}Z.mp4`,
    contentType: 'video/mp4',
    expiresInMs: context.config.DOWNLOAD_LINK_TTL,
    nowMs: nowOf(context).getTime(),
  });
}

async function findRecording(context: Pick<RecordingContext, 'recordings'>, id: string): Promise<Recording> {
  const row = await context.recordings.find(id);
  if (!row) throw new RecordingNotFound(`There is no recording ${id}`);
  return row;
}

async function cursorOf(context: Pick<RecordingContext, 'db'>, last: Recording): Promise<string | null> {
  const result = await context.db.query<{ startedAt: string }>(
    `SELECT to_char(started_at, 'YYYY-MM-DD HH24:MI:SS.US') AS "startedAt" FROM recordings WHERE id = $1`,
    [last.id],
  );
  const startedAt = result.rows[0]?.startedAt ?? last.startedAt.toISOString().slice(0, 23).replace('T', ' ');
  return Buffer.from(`${startedAt}/${last.id}`).toString('base64url');
}

function readCursor(text: string): Cursor | null {
  const [, startedAt, id] = CURSOR.exec(Buffer.from(text, 'base64url').toString('utf8')) ?? [];
  if (!startedAt || !id || !z.uuid().safeParse(id).success) return null;
  // What PostgreSQL would refuse as a time (30 February) is refused here.
  const second = startedAt.slice(0, 19).replace(' ', 'T');
  const time = new Date(`${second}Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(second) ? { startedAt, id } : null;
}
