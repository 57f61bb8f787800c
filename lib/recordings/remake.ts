/**
 * Makes a finished recording anew: for a segment that came after completion, for a file that got lost while its segments
 * are staged, and when somebody asks for a retry.
 * The old file stays where it is, served, until the new one replaces it in one step.
 */
import type { Lease } from './advance.ts';
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import { RecordingNotFound, WrongState } from './errors.ts';

/**
 * Reopens a recording whose ledger has a late segment: one that is completed, or that had none. Does nothing where it is
 * reopened already.
 */
export async function reopenForLateSegment(context: RecordingContext, recordingId: string): Promise<void> {
  const reopened = await reopen(context, recordingId, 'late');
  // Another one that has failed takes the segment too, on its retry; the ledger has it.
  if (!reopened) return;
  context.logger.warn(
    { recording_id: recordingId },
    'A segment arrived after completion; the recording is made anew with it',
  );
  await context.queues.requestAdvance(recordingId, `late:${context.clock.now()}`);
}

/** Reopens a completed recording whose file is not in the store (any more), while its segments still are. */
export async function reopenForLostFile(context: RecordingContext, recordingId: string): Promise<void> {
  if (!(await reopen(context, recordingId, 'late'))) return;
  context.logger.error(
    { recording_id: recordingId },
    'The file of a completed recording is not in the store as it was written; it is made anew of its staged segments',
  );
  await context.queues.requestAdvance(recordingId, `lost:${context.clock.now()}`);
}

/**
 * Reopens recordings that have a late segment and were not reopened for it: whoever captured it died in
 * between. A sweep would not notice, since the segment is in the ledger.
 */
export async function reopenOverlooked(context: RecordingContext): Promise<void> {
  for (const recordingId of await context.recordings.findOverlooked()) await reopenForLateSegment(context, recordingId);
}

/**
 * Tries a failed recording again.
 * @throws {RecordingNotFound} {WrongState} where it has not failed, or its staging is gone
 */
export async function retryRecording(context: RecordingContext, recordingId: string): Promise<void> {
  const recording = await context.recordings.find(recordingId);
  if (!recording) throw new RecordingNotFound(`There is no recording ${recordingId}`);
  if (!(await reopen(context, recordingId, 'failed'))) {
    throw new WrongState(
      `The recording is ${recording.status}; only a failed one whose segments are still staged can be tried again`,
    );
  }
  await context.queues.requestAdvance(recordingId, `retry:${context.clock.now()}`);
}

/**
 * Gives up the upload of the current generation: all places are taken back, and the file is made anew from staging,
 * late segments included. The caller holds the lease.
 */
export async function restartGeneration(context: RecordingContext, lease: Lease, why: string): Promise<void> {
  const { id } = lease.recording;
  const before = await context.db.transaction(async (client) => {
    const { leases, places, parts } = repositoriesOn(client);
    const locked = await leases.lock(id, lease.token);
    await places.clear(id);
    await parts.removeAll(id);
    await leases.restart(id, lease.token, nowOf(context));
    return locked;
  });
  context.logger.warn(
    { recording_id: id, generation: before.generation + 1, why },
    'The file is made anew from its staged segments',
  );
  if (!before.uploadId) return;
  await context.store
    .abortUpload(context.config.MINIO_BUCKET, before.objectKey, before.uploadId)
    .catch((error: unknown) => {
      context.logger.warn(
        { err: error, recording_id: id },
        'Could not abort an upload that is given up; the healer will',
      );
    });
}

async function reopen(context: RecordingContext, recordingId: string, from: 'failed' | 'late'): Promise<boolean> {
  return context.db.transaction(async (client) => {
    const { recordings, places, parts } = repositoriesOn(client);
    const reopened = await recordings.reopen(recordingId, from, nowOf(context));
    if (!reopened) return false;
    await places.clear(recordingId);
    await parts.removeAll(recordingId);
    return true;
  });
}
