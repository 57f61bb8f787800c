/** Removes the staging of recordings that have been complete for LATE_SEGMENT_WINDOW. Of failed ones it stays. */
import { stagingPrefix } from '../storage/keys.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { reopenForLostFile } from './remake.ts';

const AT_ONCE = 50;
/** A round of the monitor has to be over before the next one, and a long recording has tens of thousands of segments. */
const BUDGET_MS = 2000;

/** Removes what is due, a bounded number of recordings a call. */
export async function removeStaging(context: RecordingContext): Promise<void> {
  const before = nowOf(context, -context.config.LATE_SEGMENT_WINDOW);
  await removeInTime(context, {
    find: () => context.retention.findStagingToRemove(before, AT_ONCE),
    remove: (recording) => remove(context, recording.id, before),
    failure: 'Could not remove the staging of a completed recording',
  });
}

interface Removal<Found> {
  readonly find: () => Promise<readonly Found[]>;
  readonly remove: (recording: Found) => Promise<void>;
  /** For the log. */
  readonly failure: string;
}

/** Removes of each recording that is found; what cannot be removed does not keep the others, and none begins too late. */
export async function removeInTime<Found extends { readonly id: string }>(
  context: RecordingContext,
  { find, remove, failure }: Removal<Found>,
): Promise<void> {
  const until = context.clock.now() + BUDGET_MS;
  for (const recording of await find()) {
    if (context.clock.now() >= until) return;
    await remove(recording).catch((error: unknown) => {
      context.logger.error({ err: error, recording_id: recording.id }, failure);
    });
  }
}

async function remove(context: RecordingContext, recordingId: string, before: Date): Promise<void> {
  if (!(await isStored(context, recordingId))) return reopenForLostFile(context, recordingId);
  // The mark first, conditional on `completed`: once it is set, a late segment no longer reopens the recording.
  if (!(await context.retention.markStagingRemoved(recordingId, before, nowOf(context)))) return;
  const removed = await removePrefix(context, stagingPrefix(recordingId));
  context.logger.info({ recording_id: recordingId, objects: removed }, 'Removed the staging of a completed recording');
}

/** The last look before its segments are gone. What an earlier recorder has completed was never ours to make. */
async function isStored(context: RecordingContext, recordingId: string): Promise<boolean> {
  const recording = await context.recordings.find(recordingId);
  if (recording?.status !== 'completed' || !recording.facts.writing) return true;
  const stored = await context.store.head(context.config.MINIO_BUCKET, recording.objectKey);
  return stored?.size === recording.fileSizeBytes;
}

/** Deletes every object below a prefix of the bucket `recordings`; returns how many there were. */
export async function removePrefix(context: RecordingContext, prefix: string): Promise<number> {
  const bucket = context.config.MINIO_BUCKET;
  let removed = 0;
  for (;;) {
    const page = await context.store.list(bucket, prefix);
    if (page.objects.length === 0) return removed;
    await context.store.remove(
      bucket,
      page.objects.map((object) => object.key),
    );
    removed += page.objects.length;
  }
}
