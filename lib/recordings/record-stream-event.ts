/**
 * Carries out what stream-events.ts decides: opens and ends recordings, once for each broadcast however often and
 * in whatever order its events come. Events of one stream are serialised by a row lock.
 */
import { databaseNow } from '../platform/database.ts';
import { hashStreamKey } from '../platform/logging.ts';
import { finalKeyCandidates } from '../storage/keys.ts';
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import { type LostStart, resolveLostStart } from './lost-start.ts';
import type { EventSource, Recording } from './recording.ts';
import type { BroadcastEnd, RecordingRepository } from './recording-repository.ts';
import { decideStreamEvent, type EventDecision, type StreamEvent } from './stream-events.ts';

/** Starts of one broadcast as told by webhook and by polling may differ by rounding. */
export const SAME_START_MS = 2000;

interface Outcome {
  readonly decision: EventDecision;
  /** The recording that takes segments from now on, if the event opened or reopened one. */
  readonly opened: string | null;
  readonly ended: string | null;
  /** All recordings of the stream, as they were before. */
  readonly known: readonly Recording[];
}

/**
 * Applies one event. Safe to repeat.
 * @throws {DatabaseUnavailable} nothing is recorded then; the sender repeats, or the poller finds the change
 */
export async function recordStreamEvent(context: RecordingContext, event: StreamEvent): Promise<EventDecision> {
  let outcome = await apply(context, event, null);
  if (outcome.decision.act === 'create-ended') {
    const start = await resolveLostStart(context, event, outcome.known);
    // Without objects that nobody owns, a second end of a known broadcast is just that.
    if (start.hasObjects || !outcome.decision.onlyIfObjects) outcome = await apply(context, event, start);
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

async function apply(context: RecordingContext, event: StreamEvent, lostStart: LostStart | null): Promise<Outcome> {
  return context.db.transaction(async (client) => {
    const { recordings } = repositoriesOn(client);
    const known = await recordings.lockStream(event.streamId, event.streamKey, event.userId, nowOf(context));
    // Behind the lock, whose holder may have stood still with it; and on the clock on which segments are judged.
    const now = await databaseNow(client);
    const broadcasts = known.map((recording) => ({
      ...recording,
      reconnects: (recording.facts.reconnects ?? []).map((gap) => new Date(gap.resumedAt)),
    }));
    const decision = decideStreamEvent(event, broadcasts, {
      sameStartMs: SAME_START_MS,
      reconnectWindowMs: context.config.RECONNECT_WINDOW,
    });
    if (decision.act === 'create-ended' && lostStart === null) return { decision, known, opened: null, ended: null };
    const result = await carryOut(context, recordings, known, event, decision, lostStart, now);
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
    return { decision, known, ...result };
  });
}

async function carryOut(
  context: RecordingContext,
  recordings: RecordingRepository,
  known: readonly Recording[],
  event: StreamEvent,
  decision: EventDecision,
  lostStart: LostStart | null,
  now: Date,
): Promise<{ opened: string | null; ended: string | null }> {
  const firstAttempt = nowOf(context, context.config.RECONNECT_WINDOW);
  const create = (startedAt: Date) => insertRecording(context, recordings, event, startedAt, now);
  const createOver = (startedAt: Date, endedAt: Date, source: EventSource, startSource = event.source) =>
    insertRecording(context, recordings, { ...event, source: startSource }, startedAt, now, {
      endedAt,
      source,
      firstAttempt,
    });
  switch (decision.act) {
    case 'none':
      return { opened: null, ended: null };
    case 'create':
      return { opened: await create(decision.startedAt), ended: null };
    case 'create-ended': {
      const start = lostStart?.startedAt ?? decision.endedAt;
      const id = await createOver(start, decision.endedAt, event.source, 'ended-event');
      if (lostStart?.isUnknown) await recordings.note(id, { isStartUnknown: true });
      return { opened: id, ended: id };
    }
    case 'create-past': {
      const id = await createOver(decision.startedAt, decision.endedAt, 'superseded');
      return { opened: decision.followedBy, ended: id };
    }
    case 'split': {
      const before = known.find((recording) => recording.id === decision.recordingId);
      await recordings.moveEnd(decision.recordingId, decision.startedAt, 'superseded', now);
      const id = await createOver(decision.startedAt, decision.endedAt, before?.endSource ?? event.source);
      return { opened: decision.recordingId, ended: id };
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
      return { opened: await create(decision.startedAt), ended: decision.recordingId };
    case 'resume': {
      const before = known.find((recording) => recording.id === decision.recordingId);
      const endedAt = before?.endedAt ?? before?.lastSegmentAt ?? decision.resumedAt;
      const gap = { endedAt: endedAt.toISOString(), resumedAt: decision.resumedAt.toISOString() };
      const facts = { reconnects: [...(before?.facts.reconnects ?? []), gap] };
      const isOpen = await recordings.resume(decision.recordingId, facts, now);
      // The finalizer takes no part in the stream's lock: where it was done sooner, the stream goes on in the next file.
      return { opened: isOpen ? decision.recordingId : await create(decision.resumedAt), ended: null };
    }
    case 'move-start':
      await recordings.moveStart(decision.recordingId, decision.startedAt, event.source, now);
      return { opened: decision.recordingId, ended: null };
  }
}

/**
 * Opens a recording under the first free key. The caller holds the stream's row lock.
 * @param heardAt on the database's clock
 */
export async function insertRecording(
  context: RecordingContext,
  recordings: RecordingRepository,
  event: Pick<StreamEvent, 'streamId' | 'streamKey' | 'userId' | 'source'>,
  startedAt: Date,
  heardAt: Date,
  over?: BroadcastEnd,
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
        startSource: event.source,
        ...(over ? { over } : {}),
      },
      heardAt,
    );
    if (inserted) return id;
  }
  throw new Error(
    `No free key in the bucket for another recording of stream ${event.streamId} that started at ${startedAt.toISOString()}`,
  );
}
