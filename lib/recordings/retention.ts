/**
 * Deletes recordings that are older than RETENTION_DAYS: what lies in the bucket first, the rows last, so that a row
 * never outlives its deletion half-way unnoticed. Off by default, and a dry run until RETENTION_DRY_RUN=false.
 */
import { recordingPrefixes } from '../storage/keys.ts';
import { nowOf, type RecordingContext } from './context.ts';
import type { Recording } from './recording.ts';
import { removePrefix } from './remove-staging.ts';

const AT_ONCE = 20;
const DAY_MS = 86_400_000;
/** A dry run names what it would delete once an hour, not with every tick. */
const DRY_RUN_EVERY_MS = 3_600_000;

/** Deletes what is due, a bounded number of recordings a call. */
export async function applyRetention(context: RecordingContext): Promise<void> {
  const { RETENTION_DAYS, RETENTION_DRY_RUN, MONITOR_INTERVAL } = context.config;
  if (RETENTION_DAYS === 0) return;
  if (RETENTION_DRY_RUN && context.clock.now() % DRY_RUN_EVERY_MS >= MONITOR_INTERVAL) return;
  for (const recording of await context.recordings.findExpired(nowOf(context, -RETENTION_DAYS * DAY_MS), AT_ONCE)) {
    if (RETENTION_DRY_RUN) {
      context.logger.info(
        { recording_id: recording.id, completed_at: recording.completedAt, bytes: recording.fileSizeBytes },
        'Retention would delete this recording (RETENTION_DRY_RUN)',
      );
    } else {
      await remove(context, recording);
    }
  }
}

async function remove(context: RecordingContext, recording: Recording): Promise<void> {
  if (recording.uploadId)
    await context.store.abortUpload(context.config.MINIO_BUCKET, recording.objectKey, recording.uploadId);
  if (recording.facts.writing) await context.store.remove(context.config.MINIO_BUCKET, [recording.objectKey]);
  for (const prefix of recordingPrefixes(recording.id)) await removePrefix(context, prefix);
  await context.recordings.remove(recording.id);
  context.logger.info(
    { recording_id: recording.id, completed_at: recording.completedAt, bytes: recording.fileSizeBytes },
    'Retention deleted a recording',
  );
}
