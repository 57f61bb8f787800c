/** Reads for the API: recordings as the specification gives them. */
import type { RecordingContext } from './context.ts';
import { RecordingNotFound } from './errors.ts';
import { type PublicRecording, toPublicRecording } from './recording.ts';

/** More than this in one answer helps nobody; older ones are reached by paging. */
const MAX_LIST = 1000;

export async function listRecordings(context: Pick<RecordingContext, 'recordings'>): Promise<PublicRecording[]> {
  const rows = await context.recordings.list({ limit: MAX_LIST });
  return rows.map(toPublicRecording);
}

/** @throws {RecordingNotFound} */
export async function getRecording(
  context: Pick<RecordingContext, 'recordings'>,
  id: string,
): Promise<PublicRecording> {
  const row = await context.recordings.find(id);
  if (!row) throw new RecordingNotFound(`There is no recording ${id}`);
  return toPublicRecording(row);
}
