/**
 * Streams that go on after their recording has ended, with nobody telling a start: STALE_TIMEOUT ended it, or an end was
 * told of a stream that the Stream Service has live all along. They go on in the next recording. Segments within
 * LATE_SEGMENT_WINDOW are still the old one's, which takes them as late ones.
 */
import type { StreamState } from '../services/stream-service.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { listUnclaimed } from './lost-start.ts';
import { recordStreamEvent, SAME_START_MS } from './record-stream-event.ts';
import type { Recording } from './recording.ts';

/** A stream that is silent for longer will be started anew. */
const LOOK_BACK_MS = 24 * 3_600_000;
/** An answer that took longer may not be so any more. */
const PROMPT_MS = 5000;
/** A segment is written when it is complete: the stream went on about one segment before its first object. */
const FIRST_SEGMENT_MS = 10_000;

/**
 * Opens a recording for each such stream. Safe to repeat. A stream of which nothing can be learnt does not keep the others.
 * @param live what the Stream Service has live
 * @throws {DatabaseUnavailable}
 */
export async function resumeStale(
  context: RecordingContext,
  live: readonly Pick<StreamState, 'streamId'>[],
): Promise<void> {
  const ids = live.map(({ streamId }) => streamId);
  for (const recording of await context.recordings.findMayGoOn(nowOf(context, -LOOK_BACK_MS), ids)) {
    await resume(context, recording).catch((error: unknown) => {
      context.logger.error(
        { err: error, recording_id: recording.id },
        'Could not tell whether a stream goes on; it is looked at again within a minute',
      );
    });
  }
}

async function resume(context: RecordingContext, recording: Recording): Promise<void> {
  const { id, streamId, streamKey, userId } = recording;
  const endedMs = recording.endedAt?.getTime() ?? 0;
  const later = (await listUnclaimed(context, streamKey, [])).filter((modifiedAtMs) => modifiedAtMs > endedMs);
  if (later.length === 0) return;
  if (recording.endSource !== 'stale' && !(await isStillLive(context, recording))) return;
  const occurredAt = new Date(Math.max(endedMs + 1000, Math.min(...later) - FIRST_SEGMENT_MS));
  context.logger.warn(
    { recording_id: id, stream_id: streamId, segments: later.length, end_source: recording.endSource },
    'Segments come though their recording has ended; the stream goes on in the next one',
  );
  await recordStreamEvent(context, {
    event: 'stream.started',
    streamId,
    streamKey,
    userId,
    occurredAt,
    source: 'stale',
  });
}

/**
 * Asked once more: the list may be as old as this function stood still. Another start is another broadcast, which polling
 * opens by itself.
 */
async function isStillLive(context: RecordingContext, { streamId, startedAt }: Recording): Promise<boolean> {
  const askedMs = context.clock.now();
  const state = await context.streams.find(streamId);
  if (!state?.live || context.clock.now() - askedMs > PROMPT_MS) return false;
  return Math.abs(state.startedAt.getTime() - startedAt.getTime()) <= SAME_START_MS;
}
