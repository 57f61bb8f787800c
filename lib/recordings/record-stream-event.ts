/**
 * Carries out what stream-events.ts decides: opens and ends recordings, once for each broadcast however often and
 * in whatever order its events come. Events of one stream are serialised by a row lock.
 */
import { parseObjectKey } from '../capture/segment-name.ts';
import { hashStreamKey } from '../platform/logging.ts';
import { finalKeyCandidates } from '../storage/keys.ts';
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import { inferStart } from './infer-start.ts';
import type { Recording } from './recording.ts';
import type { RecordingRepository } from './recording-repository.ts';
import { decideStreamEvent, type EventDecision, type StreamEvent } from './stream-events.ts';

/** Starts of one broadcast as told by webhook and by polling may differ by rounding. */
const SAME_START_MS = 2000;

interface Outcome {
  readonly decision: EventDecision;
  /** The recording that takes segments from now on, if the event opened or reopened one. */
  readonly opened: string | null;
  readonly ended: string | null;
}

/**
 * Applies one event. Safe to repeat.
 * @throws {DatabaseUnavailable} nothing is recorded then; the sender repeats, or the poller finds the change
 */
export async function recordStreamEvent(context: RecordingContext, event: StreamEvent): Promise<EventDecision> {
  let outcome = await apply(context, event, null);
  if (outcome.decision.act === 'create-ended') {
    const start = await resolveLostStart(context, event);
    // Without objects that nobody owns, a second end of a known broadcast is just that.
    if (start.hasObjects || !outcome.decision.onlyIfObjects) outcome = await apply(context, event, start.startedAt);
  }
  const { decision, opened, ended } = outcome;
  context.logger.info(
    {
      stream_id: event.streamId,
      stream: hashStreamKey(event.streamKey),
      event: event.event,
      source: event.source,
      act: decision.act,
      recording_id: opened ?? ended,
    },
    decision.act === 'none' ? `Event changes nothing: ${decision.why}` : `Event applied: ${decision.act}`,
  );
  if (ended) {
    context.logger.info({ recording_id: ended, stream_id: event.streamId }, '🎬 Stream ended, starting processing…');
    const delaySeconds = context.config.RECONNECT_WINDOW / 1000;
    await context.queues.requestAdvance(ended, `end:${event.occurredAt.getTime()}`, delaySeconds);
  }
  if (opened && opened !== ended) await context.queues.requestSweep(opened);
  return decision;
}

async function apply(context: RecordingContext, event: StreamEvent, lostStart: Date | null): Promise<Outcome> {
  const now = nowOf(context);
  return context.db.transaction(async (client) => {
    const { recordings } = repositoriesOn(client);
    const known = await recordings.lockStream(event.streamId, event.streamKey, event.userId, now);
    const decision = decideStreamEvent(event, known, {
      sameStartMs: SAME_START_MS,
      reconnectWindowMs: context.config.RECONNECT_WINDOW,
    });
    if (decision.act === 'create-ended' && lostStart === null) return { decision, opened: null, ended: null };
    const result = await carryOut(context, recordings, known, event, decision, lostStart);
    await recordings.logEvent(
      {
        streamId: event.streamId,
        event: event.event,
        occurredAt: event.occurredAt,
        source: event.source,
        outcome: decision.act,
      },
      now,
    );
    return { decision, ...result };
  });
}

async function carryOut(
  context: RecordingContext,
  recordings: RecordingRepository,
  known: readonly Recording[],
  event: StreamEvent,
  decision: EventDecision,
  lostStart: Date | null,
): Promise<{ opened: string | null; ended: string | null }> {
  const now = nowOf(context);
  const firstAttempt = nowOf(context, context.config.RECONNECT_WINDOW);
  const create = (startedAt: Date, lost: boolean) => insertRecording(context, recordings, event, startedAt, lost);
  switch (decision.act) {
    case 'none':
      return { opened: null, ended: null };
    case 'create':
      return { opened: await create(decision.startedAt, false), ended: null };
    case 'create-ended': {
      const id = await create(lostStart ?? decision.endedAt, true);
      await recordings.end(id, decision.endedAt, event.source, firstAttempt, now);
      return { opened: id, ended: id };
    }
    case 'end':
      return {
        opened: null,
        ended: (await recordings.end(decision.recordingId, decision.endedAt, event.source, firstAttempt, now))
          ? decision.recordingId
          : null,
      };
    case 'supersede':
      await recordings.end(decision.recordingId, decision.startedAt, 'superseded', firstAttempt, now);
      return { opened: await create(decision.startedAt, false), ended: decision.recordingId };
    case 'resume': {
      const before = known.find((recording) => recording.id === decision.recordingId);
      const gap = { endedAt: (before?.endedAt ?? now).toISOString(), resumedAt: decision.resumedAt.toISOString() };
      await recordings.resume(decision.recordingId, { reconnects: [...(before?.facts.reconnects ?? []), gap] }, now);
      return { opened: decision.recordingId, ended: null };
    }
    case 'move-start':
      await recordings.moveStart(decision.recordingId, decision.startedAt, event.source, now);
      return { opened: decision.recordingId, ended: null };
  }
}

/** Opens a recording under the first free key. The caller holds the stream's row lock. */
export async function insertRecording(
  context: RecordingContext,
  recordings: RecordingRepository,
  event: Pick<StreamEvent, 'streamId' | 'streamKey' | 'userId' | 'source'>,
  startedAt: Date,
  lostStart: boolean,
): Promise<string> {
  const id = context.newId();
  const named = { id, streamId: event.streamId, streamKey: event.streamKey, startedAt };
  for (const objectKey of finalKeyCandidates(named, context.config.RECORDING_KEY_TEMPLATE)) {
    const inserted = await recordings.insert(
      {
        id,
        streamId: event.streamId,
        streamKey: event.streamKey,
        userId: event.userId,
        objectKey,
        startedAt,
        startSource: lostStart ? 'ended-event' : event.source,
      },
      nowOf(context),
    );
    if (inserted) return id;
  }
  throw new Error(
    `No free key in the bucket for another recording of stream ${event.streamId} that started at ${startedAt.toISOString()}`,
  );
}

/** When a broadcast began whose start nobody told: as the Stream Service says, else as its objects show. */
async function resolveLostStart(
  context: RecordingContext,
  event: StreamEvent,
): Promise<{ startedAt: Date; hasObjects: boolean }> {
  const objects = await listUnclaimed(context, event.streamKey).catch((error: unknown) => {
    context.logger.warn(
      { err: error, stream_id: event.streamId },
      'Cannot list the segments of a stream whose start was lost',
    );
    return null;
  });
  const inferred = inferStart(objects ?? [], event.occurredAt);
  const told = await context.streams.find(event.streamId).catch(() => null);
  const startedAt = told && told.startedAt <= event.occurredAt ? told.startedAt : inferred;
  // A store that does not answer must not make the end of a stream vanish: recorded now, captured when it heals.
  return { startedAt: startedAt ?? event.occurredAt, hasObjects: objects === null || inferred !== null };
}

async function listUnclaimed(context: RecordingContext, streamKey: string): Promise<number[]> {
  const modified: number[] = [];
  let next: string | null | undefined;
  do {
    const page = await context.store.list(context.config.LIVE_BUCKET, `${streamKey}/`, next ?? undefined);
    const segments = page.objects.filter((object) => parseObjectKey(object.key).kind === 'segment');
    const claimed = new Set(
      (await context.segments.findSources(segments)).map((row) => `${row.sourceKey}\n${row.sourceEtag}`),
    );
    modified.push(
      ...segments
        .filter((object) => !claimed.has(`${object.key}\n${object.etag}`))
        .map((object) => object.modifiedAtMs),
    );
    next = page.next;
  } while (next);
  return modified;
}
