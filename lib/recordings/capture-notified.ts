/** Captures what notifications name: the fast path. What it misses, a sweep finds. */
import { decodeNotificationKey, parseObjectKey } from '../capture/segment-name.ts';
import { captureSegment } from './capture-segment.ts';
import { nowOf, type RecordingContext } from './context.ts';
import type { Recording } from './recording.ts';

/**
 * @param encodedKeys keys as notifications carry them, percent-encoded
 * @throws what captureSegment throws; the whole message then comes again, and what was captured is found captured
 */
export async function captureNotified(context: RecordingContext, encodedKeys: readonly string[]): Promise<void> {
  const sweeps = new Set<string>();
  const candidatesOf = new Map<string, Promise<Recording[]>>();
  for (const encoded of encodedKeys) {
    const key = decodeNotificationKey(encoded);
    const parsed = key === null ? null : parseObjectKey(key);
    if (key === null || parsed?.kind !== 'segment') continue;
    const candidates = candidatesOf.get(parsed.streamKey) ?? findCandidates(context, parsed.streamKey);
    candidatesOf.set(parsed.streamKey, candidates);
    if (parsed.folder !== null) {
      // Variants in folders count only where there is nothing above them, which a sweep sees and one key does not.
      const newest = (await candidates).at(-1);
      if (newest) sweeps.add(newest.id);
      continue;
    }
    // A segment before its stream's start was told is not an error: the start sweeps the folder.
    const outcome = await captureSegment(context, await candidates, key, false);
    // A sweep sees it beside those that came before it and were not told.
    const newest = (await candidates).at(-1);
    if ((outcome.kind === 'unsure' || outcome.kind === 'stale') && newest) sweeps.add(newest.id);
  }
  for (const recordingId of sweeps) await context.queues.requestSweep(recordingId);
}

/** Recordings of a stream key that may still take a segment. */
export function findCandidates(context: RecordingContext, streamKey: string): Promise<Recording[]> {
  return context.recordings.findByStreamKey(streamKey, nowOf(context, -context.config.LATE_SEGMENT_WINDOW));
}
