/**
 * Advances one recording under its lease: rolls parts while it is recorded, finishes it once it has ended. Decides
 * what an error means for the recording: another attempt later, or `failed`.
 *
 *   lease:  acquire ── work, renewed every third of its time ── complete | postpone | release
 *   Whoever lost it (stopped, slow) finds its writes refused; the queue's groups make that rare, the lease makes it safe.
 */
import { FfmpegFailed, FfmpegTimeout } from '../ffmpeg/errors.ts';
import { ServiceError } from '../platform/errors.ts';
import { hideStreamKeys, keyFoldersOf } from '../platform/logging.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { LeaseLost } from './errors.ts';
import { finishRecording } from './finish.ts';
import type { Recording } from './recording.ts';
import { rollRecording } from './roll.ts';

/** How long a worker that died keeps others out. */
export const LEASE_MS = 30_000;
/** A function stops its work this long before it would be stopped. */
const STOP_EARLY_MS = 5000;
const BACKOFF_MIN_MS = 5000;
const BACKOFF_MAX_MS = 5 * 60_000;

/** A recording under a lease: what the work may use, and when it has to stop. */
export interface Lease {
  readonly recording: Recording;
  readonly token: string;
  readonly signal: AbortSignal;
  /**
   * Before a write that the database does not guard. A worker that stood still may have lost the lease without having
   * heard of it. @throws {LeaseLost}
   */
  assertHeld(): void;
}

/** What became of one piece of work; `later` asks for another call at a time. */
export type WorkResult =
  | { readonly kind: 'done' }
  | { readonly kind: 'later'; readonly at: Date; readonly why: string };

/**
 * Works on one recording until it is finished, has to wait, or time is up. Safe to call any number of times.
 * @param remainingMs the time this function has left
 * @throws {DatabaseUnavailable} the message then comes again
 */
export async function advanceRecording(
  context: RecordingContext,
  recordingId: string,
  remainingMs: () => number,
): Promise<void> {
  const token = context.newId();
  const hold = new Hold(context, recordingId);
  const recording = await hold.extend((until) => context.leases.acquire(recordingId, token, nowOf(context), until));
  if (!recording) return lookAgain(context, recordingId);
  // Rolling that failed waits its time, however many segments come meanwhile; the end of the stream does not.
  if (recording.status === 'recording' && recording.nextAttemptAt && recording.nextAttemptAt > nowOf(context)) {
    return context.leases.release(recordingId, token);
  }
  const abort = new AbortController();
  const done = new AbortController();
  void keepLease(context, recordingId, token, hold, abort, done.signal);
  void stopInTime(context, remainingMs() - STOP_EARLY_MS, abort, done.signal);
  try {
    const lease = { recording, token, signal: abort.signal, assertHeld: () => hold.assert() };
    const result =
      recording.status === 'recording' ? await rollRecording(context, lease) : await finishRecording(context, lease);
    if (result.kind === 'later') await wait(context, lease, result.at, result.why);
    else await context.leases.releaseWell(recordingId, token);
  } catch (error) {
    await settle(context, { recording, token, signal: abort.signal }, error);
  } finally {
    done.abort();
  }
}

/** How long the lease is ours for certain, on our clock: reckoned from before it was asked for. */
class Hold {
  readonly #context: RecordingContext;
  readonly #recordingId: string;
  #untilMs = 0;

  constructor(context: RecordingContext, recordingId: string) {
    this.#context = context;
    this.#recordingId = recordingId;
  }

  async extend<Answer>(ask: (until: Date) => Promise<Answer>): Promise<Answer> {
    const until = nowOf(this.#context, LEASE_MS);
    const answer = await ask(until);
    if (answer) this.#untilMs = until.getTime();
    return answer;
  }

  assert(): void {
    if (this.#context.clock.now() < this.#untilMs) return;
    throw new LeaseLost(`The lease of recording ${this.#recordingId} ran out while its worker stood still`);
  }
}

/** Somebody holds the lease. If that one died, its time runs out: come back then. */
async function lookAgain(context: RecordingContext, recordingId: string): Promise<void> {
  const recording = await context.recordings.find(recordingId);
  if (recording?.status !== 'processing') return;
  await context.queues.requestAdvance(recordingId, `lease:${recording.leaseToken}`, LEASE_MS / 1000);
}

async function keepLease(
  context: RecordingContext,
  recordingId: string,
  token: string,
  hold: Hold,
  abort: AbortController,
  done: AbortSignal,
): Promise<void> {
  for (;;) {
    await context.clock.sleep(LEASE_MS / 3, done);
    if (done.aborted || abort.signal.aborted) return;
    await renew(context, recordingId, token, hold, abort);
  }
}

async function stopInTime(
  context: RecordingContext,
  afterMs: number,
  abort: AbortController,
  done: AbortSignal,
): Promise<void> {
  // Longer than a timer can wait is no limit.
  await context.clock.sleep(Math.max(0, Math.min(afterMs, 2 ** 31 - 1)), done);
  if (!done.aborted) abort.abort(new Error('the time of this function is over'));
}

async function renew(
  context: RecordingContext,
  recordingId: string,
  token: string,
  hold: Hold,
  abort: AbortController,
): Promise<void> {
  try {
    const held = await hold.extend((until) => context.leases.renew(recordingId, token, until));
    if (!held) abort.abort(new LeaseLost(`Recording ${recordingId} was taken over by another worker`));
  } catch (error) {
    context.logger.warn({ err: error, recording_id: recordingId }, 'Could not renew the lease of a recording');
  }
}

async function wait(context: RecordingContext, lease: Lease, at: Date, why: string): Promise<void> {
  const { recording, token } = lease;
  context.logger.debug({ recording_id: recording.id, until: at, why }, 'Recording waits');
  await context.leases.postpone(recording.id, token, at, null, nowOf(context));
  await context.queues.requestAdvance(
    recording.id,
    `wait:${at.getTime()}`,
    Math.max(1, (at.getTime() - context.clock.now()) / 1000),
  );
}

/** What an error means: lost lease, another attempt, or the end. The lease ends with it. */
export async function settle(
  context: RecordingContext,
  lease: Omit<Lease, 'assertHeld'>,
  error: unknown,
): Promise<void> {
  const { recording, token } = lease;
  if (error instanceof LeaseLost || lease.signal.reason instanceof LeaseLost) {
    context.logger.warn(
      { err: error, recording_id: recording.id },
      'Lost the lease of a recording; another worker has it',
    );
    return;
  }
  const why = describe(error, keyFoldersOf(context.config));
  const attempts = recording.attempts + 1;
  const faults = (recording.facts.faults ?? 0) + (isFault(error) ? 1 : 0);
  const now = nowOf(context);
  if (recording.status === 'processing' && isFinal(context, recording, error, faults)) {
    context.logger.error(
      { err: error, recording_id: recording.id, attempts, code: why.code },
      'Recording failed; its segments stay staged, POST /recording/{id}/retry tries again',
    );
    await context.leases.fail(recording.id, token, why.code, why.message, now);
    return;
  }
  const delayMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempts - 1, 10));
  context.logger.error(
    { err: error, recording_id: recording.id, attempts, code: why.code, next_attempt_in_ms: delayMs },
    'Work on a recording failed; it will be tried again',
  );
  const next = new Date(now.getTime() + delayMs);
  await context.leases.postpone(recording.id, token, next, { ...why, attempts, faults }, now);
  await context.queues.requestAdvance(recording.id, `retry:${attempts}:${now.getTime()}`, delayMs / 1000);
}

/** The same segments give the same answer. */
const HOPELESS = new Set(['NO_SEGMENTS', 'NOTHING_CARRIED']);

/** Errors that pass by themselves are tried for RETRY_FOR, others a few times: the second try may be luckier. */
function isFinal(context: RecordingContext, recording: Recording, error: unknown, faults: number): boolean {
  const retryable = error instanceof ServiceError ? error.retryable : false;
  if (!retryable)
    return (error instanceof ServiceError && HOPELESS.has(error.code)) || faults >= context.config.PROCESSING_ATTEMPTS;
  // From when there was something to do: an end may be told days later, a retry asked for years later.
  const { endHeardAt, endedAt, updatedAt, facts } = recording;
  const since = endHeardAt ?? endedAt ?? updatedAt;
  const sinceMs = Math.max(since.getTime(), facts.reopenedAt ? Date.parse(facts.reopenedAt) : 0);
  return context.clock.now() - sinceMs > context.config.RETRY_FOR;
}

/** Not what is away and comes back; an ffmpeg that was killed may be killed by this very media. */
function isFault(error: unknown): boolean {
  if (!(error instanceof ServiceError)) return true;
  return !error.retryable || error instanceof FfmpegFailed || error instanceof FfmpegTimeout;
}

/** What the row says of an error: without stream keys, since the row is shown to more people than the log. */
function describe(error: unknown, keyFolders: readonly string[]): { code: string; message: string } {
  const message = hideStreamKeys(error instanceof Error ? error.message : String(error), keyFolders);
  return { code: error instanceof ServiceError ? error.code : 'UNEXPECTED', message };
}
