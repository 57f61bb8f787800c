/**
 * Dead letters: messages whose function failed on every delivery. None of them is an end. The work that it asked for is
 * done again, slowly and surely; a recording on which its worker died counts that as an attempt and fails with the last
 * one, with the reason. What cannot be done now throws, and the letter stays.
 *
 *   a segment's notification ──► sweeps of its stream key's recordings
 *   a sweep, a later advance ──► the same again
 *   a job ──► lease free?    ──► woken up: no worker died in it, the database or the queue was away
 *             lease expired? ──► a worker died: another attempt, or `failed` where it was the last
 *             lease alive?   ──► later: somebody works on it
 */
import { decodeNotificationKey, parseObjectKey } from '../capture/segment-name.ts';
import { LEASE_MS, settle } from './advance.ts';
import { findCandidates } from './capture-notified.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { WorkerAlive, WorkerDied } from './errors.ts';
import { sweepRecording } from './sweep.ts';

export type DeadLetter =
  | { readonly kind: 'notification'; readonly encodedKeys: readonly string[] }
  | { readonly kind: 'sweep' | 'advance' | 'job'; readonly recordingId: string };

/** `dropped`: there is no recording, or none that waits for it any more. */
export type DrainOutcome = 'repeated' | 'failed' | 'dropped';

/**
 * Works off one dead letter. Safe to repeat.
 * @throws {WorkerAlive} {StorageUnavailable} {StorageAccessDenied} {DatabaseUnavailable} the letter then comes again
 */
export async function drainDeadLetter(
  context: RecordingContext,
  letter: DeadLetter,
  messageId: string,
): Promise<DrainOutcome> {
  const recordingId = 'recordingId' in letter ? letter.recordingId : null;
  const outcome = await workOff(context, letter, messageId);
  await context.db.query(
    `INSERT INTO dead_letters (message_id, recording_id, outcome, drained_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
    [messageId, recordingId, outcome, nowOf(context)],
  );
  context.logger.warn(
    { message_id: messageId, recording_id: recordingId, letter: letter.kind, outcome },
    'Drained a dead letter: a message whose function had failed on every delivery',
  );
  return outcome;
}

async function workOff(context: RecordingContext, letter: DeadLetter, messageId: string): Promise<DrainOutcome> {
  switch (letter.kind) {
    case 'notification':
      return sweepStreams(context, letter.encodedKeys);
    case 'sweep':
      await sweepRecording(context, letter.recordingId);
      return 'repeated';
    case 'advance':
      await context.queues.requestAdvance(letter.recordingId, `dead:${messageId}`);
      return 'repeated';
    case 'job':
      return drainJob(context, letter.recordingId, messageId);
  }
}

/** One segment that cannot be had must not keep others from being captured: a sweep takes all that there are. */
async function sweepStreams(context: RecordingContext, encodedKeys: readonly string[]): Promise<DrainOutcome> {
  const streamKeys = new Set<string>();
  for (const encoded of encodedKeys) {
    const key = decodeNotificationKey(encoded);
    const parsed = key === null ? null : parseObjectKey(key);
    if (parsed?.kind === 'segment') streamKeys.add(parsed.streamKey);
  }
  let swept = false;
  for (const streamKey of streamKeys) {
    for (const recording of await findCandidates(context, streamKey)) {
      await sweepRecording(context, recording.id);
      swept = true;
    }
  }
  return swept ? 'repeated' : 'dropped';
}

async function drainJob(context: RecordingContext, recordingId: string, messageId: string): Promise<DrainOutcome> {
  const found = await context.recordings.find(recordingId);
  if (found?.status !== 'processing' && found?.status !== 'recording') return 'dropped';
  const token = context.newId();
  const recording = await context.leases.acquire(recordingId, token, nowOf(context), nowOf(context, LEASE_MS));
  if (!recording) throw new WorkerAlive(`Recording ${recordingId} is being worked on`);
  // A worker that ended by itself, with success or without, gave its lease back.
  if (found.leaseToken === null) {
    await context.leases.release(recordingId, token);
    await context.queues.requestAdvance(recordingId, `dead:${messageId}`);
    return 'repeated';
  }
  const error = new WorkerDied(
    'The function that works on this recording died in the middle of it on every delivery: out of memory, out of time, or killed',
  );
  await settle(context, { recording, token, signal: new AbortController().signal }, error);
  return (await context.recordings.find(recordingId))?.status === 'failed' ? 'failed' : 'repeated';
}
