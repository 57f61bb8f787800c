/**
 * Streams that go on after their recording has ended, with nobody telling a start: STALE_TIMEOUT ended it, or an end was
 * told of a stream that the Stream Service has live all along. They go on in the next recording. Segments within
 * LATE_SEGMENT_WINDOW are still the old one's, which takes them as late ones.
 */
import type { StreamState } from '../services/stream-service.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { listUnclaimed } from './lost-start.ts';
import { recordStreamEvent, SAME_START_MS } from './record-stream-event.ts';

type LiveStream = Pick<StreamState, 'streamId' | 'startedAt'>;

/** A stream that is silent for longer will be started anew. */
const LOOK_BACK_MS = 24 * 3_600_000;
/** A segment is written when it is complete: the stream went on about one segment before its first object. */
const FIRST_SEGMENT_MS = 10_000;

/**
 * Opens a recording for each such stream. Safe to repeat.
 * @param live what the Stream Service has live
 * @throws {StorageUnavailable} {DatabaseUnavailable}
 */
export async function resumeStale(context: RecordingContext, live: readonly LiveStream[]): Promise<void> {
  const startOf = new Map(live.map(({ streamId, startedAt }) => [streamId, startedAt.getTime()]));
  for (const recording of await context.recordings.findMayGoOn(nowOf(context, -LOOK_BACK_MS), [...startOf.keys()])) {
    // Another start is another broadcast, which polling opens by itself.
    const apartMs = Math.abs(recording.startedAt.getTime() - (startOf.get(recording.streamId) ?? 0));
    if (recording.endSource !== 'stale' && apartMs > SAME_START_MS) continue;
    const { id, streamId, streamKey, userId } = recording;
    const endedMs = recording.endedAt?.getTime() ?? 0;
    const later = (await listUnclaimed(context, streamKey, [])).filter((modifiedAtMs) => modifiedAtMs > endedMs);
    if (later.length === 0) continue;
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
}
