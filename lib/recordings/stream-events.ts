/**
 * What a start or an end of a stream means for its recordings, as a pure decision over what is known: events come
 * late, twice, in the wrong order, from the webhook and from polling. The doing is in record-stream-event.ts.
 *
 *   time ──►  started ······ ended            started ··· ended
 *             └── recording A ──┘             └─ recording B ─┘      one recording a broadcast
 *   a start inside A's span repeats A's own; one after A's end begins B; an end before B's start is A's, late.
 */
import type { EventSource, Recording } from './recording.ts';

export interface StreamEvent {
  readonly event: 'stream.started' | 'stream.ended';
  readonly streamId: string;
  readonly streamKey: string;
  readonly userId: string | null;
  readonly occurredAt: Date;
  readonly source: EventSource;
}

/** The part of a recording that the decision looks at. */
export type KnownBroadcast = Pick<Recording, 'id' | 'status' | 'startedAt' | 'endedAt' | 'startSource' | 'completedAt'>;

export type EventDecision =
  | { readonly act: 'create'; readonly startedAt: Date }
  /** The start was lost; `onlyIfObjects`: unless there are new segments, this is only a known end told again. */
  | { readonly act: 'create-ended'; readonly endedAt: Date; readonly onlyIfObjects: boolean }
  | { readonly act: 'end'; readonly recordingId: string; readonly endedAt: Date }
  | { readonly act: 'supersede'; readonly recordingId: string; readonly startedAt: Date }
  | { readonly act: 'resume'; readonly recordingId: string; readonly resumedAt: Date }
  | { readonly act: 'move-start'; readonly recordingId: string; readonly startedAt: Date }
  | { readonly act: 'none'; readonly why: string };

export interface EventRules {
  /** Starts of one broadcast as told by two sources may differ by this much. */
  readonly sameStartMs: number;
  /** A stream that starts again within this time of its end continues its recording; 0: never. */
  readonly reconnectWindowMs: number;
}

/**
 * Decides what one event does.
 * @param known all recordings of the event's stream, in any order
 */
export function decideStreamEvent(
  event: StreamEvent,
  known: readonly KnownBroadcast[],
  rules: EventRules,
): EventDecision {
  const broadcasts = known.toSorted((a, b) => a.startedAt.getTime() - b.startedAt.getTime());
  return event.event === 'stream.started' ? decideStart(event, broadcasts, rules) : decideEnd(event, broadcasts, rules);
}

function decideStart(event: StreamEvent, broadcasts: readonly KnownBroadcast[], rules: EventRules): EventDecision {
  const at = event.occurredAt.getTime();
  const same = broadcasts.find((broadcast) => isSameStart(event, broadcast, rules));
  if (same) return { act: 'none', why: 'this start is recorded already' };

  const later = broadcasts.find((broadcast) => broadcast.startedAt.getTime() > at);
  const current = broadcasts.findLast((broadcast) => broadcast.startedAt.getTime() <= at);
  if (current && !(current.endedAt && at > current.endedAt.getTime())) {
    if (current.endedAt) return { act: 'none', why: 'this start lies within a broadcast that has ended' };
    // No end was heard, and the stream starts anew: the end was lost. What comes now is another broadcast.
    if (!later) return { act: 'supersede', recordingId: current.id, startedAt: event.occurredAt };
  }
  if (later) {
    // The broadcast was met before its start was told (an end that came first, or polling with a later guess).
    const guessed = later.startSource === 'ended-event' || later.status === 'recording';
    return guessed
      ? { act: 'move-start', recordingId: later.id, startedAt: event.occurredAt }
      : { act: 'none', why: 'a later broadcast of this stream is recorded already' };
  }
  if (
    current?.endedAt &&
    current.status === 'processing' &&
    at - current.endedAt.getTime() <= rules.reconnectWindowMs
  ) {
    return { act: 'resume', recordingId: current.id, resumedAt: event.occurredAt };
  }
  return { act: 'create', startedAt: event.occurredAt };
}

/** One source tells one start with one time; two sources may round differently. */
function isSameStart(event: StreamEvent, broadcast: KnownBroadcast, rules: EventRules): boolean {
  const apartMs = Math.abs(broadcast.startedAt.getTime() - event.occurredAt.getTime());
  const afterItsEnd = broadcast.endedAt !== null && event.occurredAt.getTime() > broadcast.endedAt.getTime();
  return apartMs === 0 || (!afterItsEnd && event.source !== broadcast.startSource && apartMs <= rules.sameStartMs);
}

function decideEnd(event: StreamEvent, broadcasts: readonly KnownBroadcast[], rules: EventRules): EventDecision {
  const at = event.occurredAt.getTime();
  const active = broadcasts.find((broadcast) => broadcast.status === 'recording');
  if (active) {
    return active.startedAt.getTime() - rules.sameStartMs <= at
      ? { act: 'end', recordingId: active.id, endedAt: event.occurredAt }
      : { act: 'none', why: 'this end is older than the broadcast that is being recorded' };
  }
  const ended = broadcasts.findLast((broadcast) => broadcast.startedAt.getTime() - rules.sameStartMs <= at);
  if (!ended && broadcasts.length > 0) {
    return { act: 'none', why: 'this end is older than every broadcast that is known' };
  }
  if (ended && (ended.endedAt === null || at <= ended.endedAt.getTime() + rules.sameStartMs)) {
    return { act: 'none', why: 'this end is recorded already' };
  }
  return { act: 'create-ended', endedAt: event.occurredAt, onlyIfObjects: ended !== undefined };
}
