/** A hook of a streaming server becomes an event of its stream, once for each connection of a publisher. Safe to repeat. */
import { nowOf, type RecordingContext, repositoriesOn } from './context.ts';
import type { HookEvent } from './hook-payloads.ts';
import { decideSessionEnd, decideSessionStart, SessionRepository } from './hook-sessions.ts';
import { recordStreamEvent } from './record-stream-event.ts';

/** @throws {DatabaseUnavailable} nothing is recorded then, or only the connection: the hook may come again */
export async function recordHook(context: RecordingContext, hook: HookEvent): Promise<void> {
  const occurredAt = await noteSession(context, hook, hook.at ?? nowOf(context));
  if (occurredAt === null) {
    context.logger.info(
      { stream_id: hook.streamId },
      'The end of a connection that another one has replaced; the stream goes on',
    );
    return;
  }
  const { event, streamId, streamKey } = hook;
  await recordStreamEvent(context, { event, streamId, streamKey, userId: null, occurredAt, source: 'webhook' });
}

/** The time to tell the event with, or null where it is none of the stream's. */
async function noteSession(context: RecordingContext, hook: HookEvent, at: Date): Promise<Date | null> {
  const now = nowOf(context);
  return context.db.transaction(async (client) => {
    const { recordings } = repositoriesOn(client);
    await recordings.lockStream(hook.streamId, hook.streamKey, null, now);
    const sessions = new SessionRepository(client);
    const known = await sessions.list(hook.streamId);
    if (hook.event === 'stream.started') {
      const { startedAt, isNew } = decideSessionStart(known, hook.session, at);
      if (isNew) await sessions.start(hook.streamId, hook.session, startedAt, now);
      return startedAt;
    }
    const ends = decideSessionEnd(known, hook.session, at);
    await sessions.end(hook.streamId, hook.session, at);
    return ends ? at : null;
  });
}
