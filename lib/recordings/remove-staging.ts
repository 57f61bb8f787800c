/** Removes the staging of recordings that have been complete for LATE_SEGMENT_WINDOW. Of failed ones it stays. */
import { stagingPrefix } from '../storage/keys.ts';
import { nowOf, type RecordingContext } from './context.ts';

const AT_ONCE = 50;

/** Removes what is due, a bounded number of recordings a call. */
export async function removeStaging(context: RecordingContext): Promise<void> {
  const due = await context.retention.findStagingToRemove(nowOf(context, -context.config.LATE_SEGMENT_WINDOW), AT_ONCE);
  for (const recording of due) {
    // The mark first, conditional on `completed`: once it is set, a late segment no longer reopens the recording.
    if (!(await context.retention.markStagingRemoved(recording.id, nowOf(context)))) continue;
    const removed = await removePrefix(context, stagingPrefix(recording.id));
    context.logger.info(
      { recording_id: recording.id, objects: removed },
      'Removed the staging of a completed recording',
    );
  }
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
