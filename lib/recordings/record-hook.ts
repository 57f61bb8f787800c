/** A hook of a streaming server becomes an event of its stream, once for each connection of a publisher. Safe to repeat. */
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import type { HookEvent } from './hook-payloads.ts';
import { decideSessionEnd, decideSessionStart, SessionRepository } from './hook-sessions.ts';
import { recordStreamEvent } from './record-stream-event.ts';

/** @throws {DatabaseUnavailable} nothing is recorded then, or only the connection: the hook may come again */
export async function recordHook(context: RecordingContext, hook: HookEvent): Promise<void> {
  const noted = await noteSession(context, hook, hook.at ?? nowOf(context));
  if (noted.kind === 'other-connection') {
    context.logger.info({ stream_id: hook.streamId, event: hook.event }, `Hook of another connection: ${noted.why}`);
    return;
  }
  const { event, streamId, streamKey } = hook;
  await recordStreamEvent(context, {
    event,
    streamId,
    streamKey,
    userId: null,
    occurredAt: noted.occurredAt,
    source: 'webhook',
    ...(noted.isUnheard ? { onlyIfObjects: true } : {}),
  });
}

type Noted =
  /** `isUnheard`: the end of a connection that may have been refused, and then there was no broadcast. */
  | { readonly kind: 'event'; readonly occurredAt: Date; readonly isUnheard: boolean }
  | { readonly kind: 'other-connection'; readonly why: string };

/** Writes the connection down and says whether the stream itself begins or ends with it. */
async function noteSession(context: RecordingContext, hook: HookEvent, at: Date): Promise<Noted> {
  const now = nowOf(context);
  return context.db.transaction(async (client) => {
    const { recordings } = repositoriesOn(client);
    const broadcasts = await recordings.lockStream(hook.streamId, hook.streamKey, null, now);
    const isLive = broadcasts.some(({ status }) => status === 'recording');
    const sessions = new SessionRepository(client);
    return hook.event === 'stream.started' ? noteStart(sessions, hook, at, now, isLive) : noteEnd(sessions, hook, at);
  });
}

async function noteStart(
  sessions: SessionRepository,
  { streamId, session, refusesSecond }: HookEvent,
  at: Date,
  now: Date,
  isLive: boolean,
): Promise<Noted> {
  const start = decideSessionStart(await sessions.list(streamId), session, at, { isLive, refusesSecond });
  if (start.kind === 'second') {
    await sessions.add(streamId, session, at);
    return { kind: 'other-connection', why: 'the stream is being published already, and goes on' };
  }
  if (start.kind === 'new') await sessions.start(streamId, session, at, now);
  return { kind: 'event', occurredAt: start.startedAt, isUnheard: false };
}

async function noteEnd(
  sessions: SessionRepository,
  { streamId, session, refusesSecond }: HookEvent,
  at: Date,
): Promise<Noted> {
  const end = decideSessionEnd(await sessions.list(streamId), session, at, { refusesSecond });
  // Of a server with one publisher at a time nobody else is left: who was refused is not always told of again.
  if (end === 'ends' && refusesSecond) await sessions.endAll(streamId, at);
  else await sessions.end(streamId, session, at);
  return end === 'goes-on'
    ? { kind: 'other-connection', why: 'it has ended, and the stream goes on' }
    : { kind: 'event', occurredAt: at, isUnheard: end === 'unheard' };
}
