/**
 * Tells others what became of recordings: deliveries from the outbox, in order for each recording and target, tried
 * again with growing pauses until OUTBOUND_RETRY_FOR is over. At least once: a receiver drops ids that it has seen.
 *
 *   event (trigger) ── fan out: one delivery a target ── attempt ──▶ delivered
 *                                                          │ ▲
 *                                                          ▼ │ 10 s, 20 s … 1 h
 *                                                        failed ── OUTBOUND_RETRY_FOR, or 410 ──▶ dead ── replay ──▶ planned again
 */
import { toRfc3339Seconds } from '../platform/clock.ts';
import type { OutboundTarget } from '../services/outbound-targets.ts';
import { nowOf, type RecordingContext } from './context.ts';
import { RecordingNotFound } from './errors.ts';
import { type ClaimedDelivery, OutboxRepository, type RecordingEvent, type ToldEvent } from './outbox-repository.ts';

const AT_ONCE = 16;
const BACKOFF_MIN_MS = 10_000;
const BACKOFF_MAX_MS = 3_600_000;
/** No new attempt begins after this much of a tick. */
const BUDGET_MS = 3000;
/** A target that fails this often in a row is left alone until the next tick. */
const FAILURES_IN_A_ROW = 3;
const LEASE_SLACK_MS = 30_000;

/** An event as it is sent; what EventBridge gets as its detail, too. */
export interface EventMessage {
  id: string;
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
}

export function toEventMessage(event: RecordingEvent): EventMessage {
  return { id: event.id, type: event.type, timestamp: toRfc3339Seconds(event.occurredAt), data: event.data };
}

/** The pause after an attempt's failure: 10 s, doubled each time, an hour at most. */
function backoffMs(attempt: number): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempt - 1, 20));
}

/** Sends what is due, bounded in time. Called by every tick of the monitor; two at once share the work. */
export async function deliverOutbox(context: RecordingContext): Promise<void> {
  const outbox = new OutboxRepository(context.db);
  const stopAt = context.clock.now() + BUDGET_MS;
  const names = context.outbound.map((target) => target.name);
  const giveUpAt = nowOf(context, context.config.OUTBOUND_RETRY_FOR);
  await outbox.fanOut(names, nowOf(context), giveUpAt);
  const dead = await outbox.expire(names, nowOf(context));
  if (dead > 0) context.logger.warn({ deliveries: dead }, 'Gave up events for targets that are no longer configured');
  await Promise.all(context.outbound.map((target) => deliverTo(context, outbox, target, stopAt)));
}

async function deliverTo(
  context: RecordingContext,
  outbox: OutboxRepository,
  target: OutboundTarget,
  stopAt: number,
): Promise<void> {
  const leaseMs = context.config.OUTBOUND_TIMEOUT * FAILURES_IN_A_ROW + LEASE_SLACK_MS;
  let failures = 0;
  while (context.clock.now() < stopAt && failures < FAILURES_IN_A_ROW) {
    const due = await outbox.claim(target.name, AT_ONCE, nowOf(context), nowOf(context, leaseMs));
    if (due.length === 0) return;
    const results = await Promise.all(due.map((delivery) => attempt(context, outbox, target, delivery)));
    failures = results.includes(true) ? 0 : failures + results.length;
  }
}

/** True where the event was delivered. */
async function attempt(
  context: RecordingContext,
  outbox: OutboxRepository,
  target: OutboundTarget,
  event: ClaimedDelivery,
): Promise<boolean> {
  const body = JSON.stringify(toEventMessage(event));
  const result = await target.deliver(
    { id: event.id, type: event.type, occurredAt: event.occurredAt, body },
    context.clock.now(),
  );
  const now = nowOf(context);
  if (result.kind === 'delivered') {
    await outbox.markDelivered(event.id, target.name, event.attempts, now);
    return true;
  }
  const pauseMs = Math.max(backoffMs(event.attempts), result.kind === 'failed' ? (result.retryAfterMs ?? 0) : 0);
  const next = new Date(now.getTime() + pauseMs);
  // The last attempt comes at the end of the time, not somewhere before it.
  const nextAttemptAt =
    result.kind === 'gone' || now >= event.giveUpAt ? null : next < event.giveUpAt ? next : event.giveUpAt;
  context.logger.warn(
    {
      target: target.name,
      event_id: event.id,
      recording_id: event.recordingId,
      attempt: event.attempts,
      why: result.why,
      next_attempt_at: nextAttemptAt,
    },
    nextAttemptAt
      ? 'Could not deliver an event; it will be tried again'
      : 'Gave up delivering an event; it can be replayed',
  );
  await outbox.markFailed(
    { eventId: event.id, target: target.name, attempt: event.attempts },
    result.why,
    nextAttemptAt,
    now,
  );
  return false;
}

/** A recording's events, oldest first. @throws {RecordingNotFound} */
export async function listEvents(context: RecordingContext, recordingId: string): Promise<ToldEvent[]> {
  const events = await new OutboxRepository(context.db).list(recordingId);
  if (events.length === 0) await requireRecording(context, recordingId);
  return events;
}

/** Sends a recording's events again, from a sequence number on. Returns how many. @throws {RecordingNotFound} */
export async function replayEvents(
  context: RecordingContext,
  recordingId: string,
  fromSequence: number,
): Promise<number> {
  await requireRecording(context, recordingId);
  const targets = context.outbound.map((target) => target.name);
  const giveUpAt = nowOf(context, context.config.OUTBOUND_RETRY_FOR);
  return new OutboxRepository(context.db).replay(recordingId, fromSequence, targets, nowOf(context), giveUpAt);
}

async function requireRecording(context: RecordingContext, recordingId: string): Promise<void> {
  if (!(await context.recordings.find(recordingId)))
    throw new RecordingNotFound(`There is no recording ${recordingId}`);
}
