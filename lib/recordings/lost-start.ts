/**
 * When a broadcast began whose start nobody told: what the Stream Service and the objects in the store say of it. Owns
 * that guess, and asks again where neither could be asked.
 */
import { parseObjectKey } from '../capture/segment-name.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { inferStart } from './infer-start.ts';
import type { Recording } from './recording.ts';
import { isSameWrite } from './segment-repository.ts';
import type { StreamEvent } from './stream-events.ts';

export interface LostStart {
  readonly startedAt: Date;
  readonly hasObjects: boolean;
  /** Neither the store nor the Stream Service said anything. */
  readonly isUnknown: boolean;
}

/** As the Stream Service says, else as its objects show. */
export async function resolveLostStart(
  context: RecordingContext,
  event: Pick<StreamEvent, 'streamId' | 'streamKey' | 'occurredAt'>,
  known: readonly Recording[],
): Promise<LostStart> {
  const endMs = event.occurredAt.getTime();
  const followers = known.filter((recording) => recording.startedAt.getTime() > endMs);
  const objects = await listUnclaimed(context, event.streamKey, followers).catch((error: unknown) => {
    context.logger.warn(
      { err: error, stream_id: event.streamId },
      'Cannot list the segments of a stream whose start was lost',
    );
    return null;
  });
  const nextMs = Math.min(...followers.map((recording) => recording.startedAt.getTime()));
  const inferred = inferStart(
    (objects ?? []).filter((modifiedAtMs) => modifiedAtMs < nextMs),
    event.occurredAt,
  );
  const told = await context.streams.find(event.streamId).catch(() => null);
  const isTold =
    told &&
    told.startedAt <= event.occurredAt &&
    !known.some((one) => one.startedAt.getTime() === told.startedAt.getTime());
  // It cannot have begun before the end of the one before.
  const earlier = known.filter((recording) => recording.endedAt && recording.endedAt <= event.occurredAt);
  const sinceMs = Math.max(0, ...earlier.map((recording) => (recording.endedAt?.getTime() ?? 0) + 1000));
  const startedMs = Math.max(sinceMs, (isTold ? told.startedAt : (inferred ?? event.occurredAt)).getTime());
  // A guess in the second of the end would be taken for the start of the next broadcast; what is told is as it is.
  const latestMs = isTold ? endMs : Math.max(Math.min(sinceMs, endMs), endMs - 1000);
  // A store that does not answer must not make the end of a stream vanish: recorded now, captured when it heals.
  return {
    startedAt: new Date(Math.min(startedMs, latestMs)),
    hasObjects: objects === null || inferred !== null,
    isUnknown: objects === null && !isTold,
  };
}

/** The recording with its start, which is asked for again where nobody could say anything of it when its end came. */
export async function withLostStart(context: RecordingContext, recording: Recording): Promise<Recording> {
  const { id, streamId, streamKey, endedAt } = recording;
  if (!recording.facts.isStartUnknown || recording.startSource !== 'ended-event' || !endedAt) return recording;
  const all = await context.recordings.findByStreams([streamId]);
  const others = all.filter((one) => one.id !== id);
  const start = await resolveLostStart(context, { streamId, streamKey, occurredAt: endedAt }, others);
  if (start.isUnknown) return recording;
  await context.recordings.learnStart(id, start.startedAt, nowOf(context));
  return (await context.recordings.find(id)) ?? recording;
}

/** Times of the segments in the bucket that no recording has, or only one that began after them. */
export async function listUnclaimed(
  context: RecordingContext,
  streamKey: string,
  followers: readonly Recording[],
): Promise<number[]> {
  const modified: number[] = [];
  let next: string | null | undefined;
  do {
    const page = await context.store.list(context.config.LIVE_BUCKET, `${streamKey}/`, next ?? undefined);
    const segments = page.objects.filter((object) => parseObjectKey(object.key).kind === 'segment');
    const known = await context.segments.findSources(segments);
    const claims = known.filter((row) => !followers.some((follower) => follower.id === row.recordingId));
    modified.push(
      ...segments
        .filter((object) => !claims.some((row) => isSameWrite(row, object)))
        .map((object) => object.modifiedAtMs),
    );
    next = page.next;
  } while (next);
  return modified;
}
