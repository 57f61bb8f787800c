/**
 * Deletes recordings that are older than RETENTION_DAYS: what lies in the bucket first, the rows last, so that a row
 * never outlives its deletion half-way unnoticed. Off by default, and a dry run until RETENTION_DRY_RUN=false.
 */
import { recordingPrefixes } from '../storage/keys.ts';
import { nowOf, type RecordingContext } from './context.ts';
import type { Recording } from './recording.ts';
import { removeInTime, removePrefix } from './remove-staging.ts';

const AT_ONCE = 20;
const DAY_MS = 86_400_000;
/** Whoever deletes a recording has it for so long. One that could not be deleted is not tried again before: others come first. */
const LEASE_MS = 10 * 60_000;
/** A dry run tells what it would delete when it starts and once an hour, not with every tick. */
const DRY_RUN_EVERY_MS = 3_600_000;

/** When a process last told what a dry run would delete, by its database. */
const toldAtMs = new WeakMap<object, number>();

/**
 * Deletes what is due, a bounded number of recordings a call, and none that is not begun in time. One that cannot be deleted
 * does not keep the others.
 */
export async function applyRetention(context: RecordingContext): Promise<void> {
  const { RETENTION_DAYS, RETENTION_DRY_RUN } = context.config;
  if (RETENTION_DAYS === 0) return;
  const before = nowOf(context, -RETENTION_DAYS * DAY_MS);
  if (RETENTION_DRY_RUN) return tellExpired(context, before);
  await removeInTime(context, {
    find: () => context.retention.findExpired(before, AT_ONCE, nowOf(context)),
    remove: (recording) => remove(context, recording, before),
    failure: 'Retention could not delete a recording',
  });
}

/** All of it in figures, the oldest by name. */
async function tellExpired(context: RecordingContext, before: Date): Promise<void> {
  const now = context.clock.now();
  const last = toldAtMs.get(context.db);
  if (last !== undefined && now - last < DRY_RUN_EVERY_MS) return;
  toldAtMs.set(context.db, now);
  const { count, bytes } = await context.retention.countExpired(before);
  context.logger.info(
    { recordings: count, bytes },
    `Retention would delete ${count} recordings that ended before ${before.toISOString()} (RETENTION_DRY_RUN)`,
  );
  for (const recording of await context.retention.findExpired(before, AT_ONCE, nowOf(context))) {
    context.logger.info(
      { recording_id: recording.id, completed_at: recording.completedAt, bytes: recording.fileSizeBytes },
      'Retention would delete this recording (RETENTION_DRY_RUN)',
    );
  }
}

async function remove(context: RecordingContext, recording: Recording, before: Date): Promise<void> {
  // Found a while ago: it may be tried again since, or be deleted by another process and its key be the next one's.
  if (!(await context.retention.takeExpired(recording.id, before, nowOf(context), nowOf(context, LEASE_MS)))) return;
  if (recording.uploadId)
    await context.store.abortUpload(context.config.MINIO_BUCKET, recording.objectKey, recording.uploadId);
  if (recording.facts.writing) await context.store.remove(context.config.MINIO_BUCKET, [recording.objectKey]);
  for (const prefix of recordingPrefixes(recording.id)) await removePrefix(context, prefix);
  await context.retention.remove(recording.id);
  context.logger.info(
    { recording_id: recording.id, completed_at: recording.completedAt, bytes: recording.fileSizeBytes },
    'Retention deleted a recording',
  );
}
