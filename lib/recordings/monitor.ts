/**
 * The monitor: every tick it makes right what the events missed. It compares the Stream Service with the
 * recordings, the store with the ledgers, and wakes up whatever should be moving. One failing duty of a tick is
 * logged and does not keep the others from being done.
 */
import { NeighbourUnavailable } from '../services/errors.ts';
import type { StreamState } from '../services/stream-service.ts';
import { makeCut } from './clips-make.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { healOrphans } from './heal-orphans.ts';
import { importDue } from './import-recording.ts';
import { deliverOutbox } from './outbox.ts';
import { makePosters } from './poster.ts';
import { recordStreamEvent, SAME_START_MS } from './record-stream-event.ts';
import type { EventSource, Recording } from './recording.ts';
import { reopenOverlooked } from './remake.ts';
import { removeStaging } from './remove-staging.ts';
import { hashFiles } from './report-hash.ts';
import { resumeStale } from './resume-stale.ts';
import { applyRetention } from './retention.ts';
import { splitLongRecordings } from './split-long.ts';
import { sweepRecording } from './sweep.ts';

/** One invocation ticks for a minute, until the next one takes over. */
const INVOCATION_MS = 60_000;
const STOP_EARLY_MS = 5000;
const SWEEPS_AT_ONCE = 8;
const DUE_AT_ONCE = 500;
/** For each of the works that nobody waits for. */
const ASIDE_BUDGET_MS = 2000;
/** Listings of streams that most likely never go on are not worth each tick. */
const RESUME_EVERY_MS = 60_000;
/** A stream that the Stream Service does not know at all ends only when nothing came for this long. */
const UNKNOWN_STREAM_MS = 30_000;

/** Ticks until the minute or the function's time is over. Returns the number of ticks. */
export async function runMonitor(context: RecordingContext, remainingMs: () => number): Promise<number> {
  const { clock, config } = context;
  const endsAt = clock.now() + Math.min(INVOCATION_MS, remainingMs() - STOP_EARLY_MS);
  let ticks = 0;
  for (let next = clock.now(); next < endsAt; next += config.MONITOR_INTERVAL) {
    await clock.sleep(next - clock.now());
    await tick(context);
    ticks += 1;
    // A tick that took longer than the interval is not made up for.
    if (clock.now() > next + config.MONITOR_INTERVAL) next = clock.now() - config.MONITOR_INTERVAL;
  }
  return ticks;
}

/** One round of all duties. */
export async function tick(context: RecordingContext): Promise<void> {
  // Others' slowness must not be ours: what waits for their answers goes on beside the rest.
  const outside = Promise.all([
    duty(context, 'deliver events', () => deliverOutbox(context)),
    duty(context, 'import recordings', () => importDue(context)),
  ]);
  let live: readonly StreamState[] = [];
  await duty(context, 'compare with the Stream Service', async () => {
    live = await reconcileStreams(context);
  });
  const open = await context.recordings
    .findOpen(nowOf(context, -context.config.LATE_SEGMENT_WINDOW))
    .catch((error: unknown) => {
      context.logger.error({ err: error }, 'Monitor cannot read the recordings');
      return [];
    });
  await forEachAtOnce(SWEEPS_AT_ONCE, open, (recording) =>
    duty(context, 'sweep', () => sweepRecording(context, recording.id), { recording_id: recording.id }),
  );
  await duty(context, 'update durations', () => context.segments.updateDurations(nowOf(context)));
  await duty(context, 'end stale recordings', () => endStale(context));
  if (context.clock.now() % RESUME_EVERY_MS < context.config.MONITOR_INTERVAL)
    await duty(context, 'go on with streams that have not ended', () => resumeStale(context, live));
  await duty(context, 'split long recordings', () => splitLongRecordings(context));
  await duty(context, 'reopen for late segments', () => reopenOverlooked(context));
  await duty(context, 'wake up stuck work', () => wakeUpDue(context));
  await duty(context, 'remove staging', () => removeStaging(context));
  await duty(context, 'apply retention', () => applyRetention(context));
  await duty(context, 'heal orphans', () => healOrphans(context));
  // What nobody waits for comes last, and is bounded: a tick has to be over before the next one.
  await duty(context, 'hash finished files', () => hashFiles(context, ASIDE_BUDGET_MS));
  await duty(context, 'go on with clips', () => makeCut(context, null, ASIDE_BUDGET_MS));
  await duty(context, 'make pictures', () => makePosters(context, ASIDE_BUDGET_MS));
  await outside;
}

async function duty(
  context: RecordingContext,
  name: string,
  work: () => Promise<unknown>,
  fields: Record<string, unknown> = {},
): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.logger.error(
      { err: error, duty: name, ...fields },
      `Monitor could not ${name}; it tries again with the next tick`,
    );
  }
}

/** Finds streams that started or ended without us having heard. A Stream Service that is silent ends nothing. */
async function reconcileStreams(context: RecordingContext): Promise<readonly StreamState[]> {
  const answer = await askForLiveStreams(context);
  if (!answer) return [];
  const { streams, invalid } = answer;
  if (invalid > 0)
    context.logger.warn({ invalid }, 'The Stream Service lists streams that break its contract; they are passed over');
  const active = await context.recordings.findActive();
  const activeOf = new Map(active.map((recording) => [recording.streamId, recording]));
  const live = new Set(streams.map((stream) => stream.streamId));
  for (const stream of streams) {
    const recording = activeOf.get(stream.streamId);
    if (!recording || isLaterBroadcast(stream, recording))
      await tell(context, 'stream.started', stream, stream.startedAt, 'poll');
  }
  for (const recording of active) {
    if (!live.has(recording.streamId)) {
      await duty(context, 'ask for a stream', () => askForStream(context, recording), { recording_id: recording.id });
    }
  }
  return streams;
}

/** The stream has ended and started again since the recording began, and we heard of neither. */
function isLaterBroadcast(stream: StreamState, recording: Recording): boolean {
  const starts = [recording.startedAt, ...(recording.facts.reconnects ?? []).map((gap) => new Date(gap.resumedAt))];
  const lastStartMs = Math.max(...starts.map((start) => start.getTime()));
  return stream.startedAt.getTime() > lastStartMs + SAME_START_MS;
}

let streamServiceSilentSinceMs: number | null = null;
const REMIND_EVERY_MS = 10 * 60_000;
let remindedAtMs = 0;

/** The live streams, or null while the Stream Service is silent, which is said once and then every ten minutes. */
async function askForLiveStreams(context: RecordingContext) {
  const nowMs = context.clock.now();
  try {
    const answer = await context.streams.listLive();
    if (streamServiceSilentSinceMs !== null) context.logger.info('The Stream Service answers again');
    streamServiceSilentSinceMs = null;
    return answer;
  } catch (error) {
    if (!(error instanceof NeighbourUnavailable)) throw error;
    if (streamServiceSilentSinceMs === null || nowMs - remindedAtMs >= REMIND_EVERY_MS) {
      remindedAtMs = nowMs;
      context.logger.warn(
        { reason: error.message, silent_since: new Date(streamServiceSilentSinceMs ?? nowMs) },
        'The Stream Service does not answer (STREAM_SERVICE_URL); until it does, only webhooks tell of starts and ends',
      );
    }
    streamServiceSilentSinceMs ??= nowMs;
    return null;
  }
}

/** The stream is not in the list of live ones: the list may be older than the stream, so that it is asked for by name. */
async function askForStream(context: RecordingContext, recording: Recording): Promise<void> {
  const state = await context.streams.find(recording.streamId);
  if (state?.live) return;
  const lastSign = Math.max(
    recording.startedAt.getTime(),
    recording.createdAt.getTime(),
    recording.lastSegmentAt?.getTime() ?? 0,
  );
  if (!state && context.clock.now() - lastSign < UNKNOWN_STREAM_MS) return;
  if (state && isLaterBroadcast(state, recording))
    await tell(context, 'stream.started', state, state.startedAt, 'poll');
  const endedAt = state?.endedAt ?? nowOf(context);
  // An end before the recording's own start is an earlier broadcast's: the service has not heard of this one yet.
  if (endedAt < recording.startedAt) return;
  await tell(context, 'stream.ended', recording, endedAt, 'poll');
}

async function endStale(context: RecordingContext): Promise<void> {
  const before = nowOf(context, -context.config.STALE_TIMEOUT);
  for (const recording of await context.recordings.findActive()) {
    const lastSign = recording.lastSegmentAt ?? recording.createdAt;
    if (lastSign >= before) continue;
    context.logger.warn(
      { recording_id: recording.id, last_segment_at: recording.lastSegmentAt },
      'No segment for STALE_TIMEOUT; the recording is ended',
    );
    await tell(context, 'stream.ended', recording, nowOf(context), 'stale');
  }
}

async function tell(
  context: RecordingContext,
  event: 'stream.started' | 'stream.ended',
  stream: Pick<StreamState, 'streamId' | 'streamKey' | 'userId'>,
  occurredAt: Date,
  source: EventSource,
): Promise<void> {
  await duty(
    context,
    'apply a change that no webhook told',
    () =>
      recordStreamEvent(context, {
        event,
        streamId: stream.streamId,
        streamKey: stream.streamKey,
        userId: stream.userId,
        occurredAt,
        source,
      }),
    { stream_id: stream.streamId },
  );
}

/**
 * Recordings that wait for a finalizer: the message that should have woken it may be lost, or out with a worker that
 * died, which blocks its group until its visibility timeout (90 min on AWS). So each minute has its own group here; the
 * lease keeps two workers apart.
 */
async function wakeUpDue(context: RecordingContext): Promise<void> {
  const tickNumber = Math.floor(context.clock.now() / context.config.MONITOR_INTERVAL);
  const minute = Math.floor(context.clock.now() / 60_000);
  const wakeUp = (recordingId: string, reason: string) =>
    context.queues.requestAdvance(recordingId, reason, 0, `${recordingId}:poll:${minute}`);
  for (const recording of await context.recordings.findDue(nowOf(context), DUE_AT_ONCE)) {
    await wakeUp(recording.id, `poll:${recording.attempts}:${tickNumber}`);
  }
  for (const recordingId of await context.places.findRollable(context.config.PART_SIZE)) {
    await wakeUp(recordingId, `poll-roll:${tickNumber}`);
  }
}

/** Runs `work` for every item, a few at a time. */
async function forEachAtOnce<Item>(
  atOnce: number,
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const pending = [...items];
  const worker = async () => {
    for (let item = pending.shift(); item !== undefined; item = pending.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}
