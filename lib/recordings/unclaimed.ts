/**
 * Segments that came after the end of a recording and belong to none that is known of: its own last ones that nothing
 * tells from the first ones of a broadcast whose start nobody told, or those. They stay where they are; the report of the
 * recording says so until another one takes them.
 */
import type { ListedObject } from '../storage/object-store.ts';
import type { RecordingContext } from './context.ts';
import type { Recording, UnclaimedObject } from './recording.ts';
import { isSameWrite, type SegmentRepository } from './segment-repository.ts';

/** A packager that goes on for hours without a start must not fill the row. */
const MOST = 100;

/** Notes what a sweep has found. What was found before stays noted: the packager may have deleted it since. */
export async function noteUnclaimed(
  context: RecordingContext,
  recording: Recording,
  objects: readonly ListedObject[],
): Promise<void> {
  const known = recording.facts.unclaimed ?? [];
  const fresh = objects
    .map(({ key, etag, modifiedAtMs }) => ({ key, etag, modifiedAtMs }))
    .filter((object) => !known.some((one) => one.key === object.key && one.etag === object.etag));
  if (fresh.length === 0 || known.length >= MOST) return;
  context.logger.warn(
    { recording_id: recording.id, segments: fresh.length },
    'Segments came after the end of the recording that are nobody’s so far; they stay in live-segments',
  );
  await context.recordings.note(recording.id, { unclaimed: [...known, ...fresh].slice(0, MOST) });
}

/** Those that no recording has taken since. */
export async function findUnclaimed(
  segments: Pick<SegmentRepository, 'findSources'>,
  recording: Pick<Recording, 'facts'>,
): Promise<UnclaimedObject[]> {
  const noted = recording.facts.unclaimed ?? [];
  const taken = await segments.findSources(noted);
  return noted.filter((object) => !taken.some((row) => isSameWrite(row, object)));
}
