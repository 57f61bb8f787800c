/**
 * What a start or an end of a stream means for its recordings, as a pure decision over what is known: events come
 * late, twice, in the wrong order, from the webhook and from polling. The doing is in record-stream-event.ts.
 *
 *   time ──►  started ······ ended            started ··· ended
 *             └── recording A ──┘             └─ recording B ─┘      one recording a broadcast
 *   The time of a start is the identity of its broadcast: the same time is the same broadcast, another time another one.
 *   So a start inside A's span parts it in two, and a start before B's that nobody knew is A, over by the time of B.
 */
import type { EventSource, Recording } from './recording.ts';

export interface StreamEvent {
  readonly event: 'stream.started' | 'stream.ended';
  readonly streamId: string;
  readonly streamKey: string;
  readonly userId: string | null;
  readonly occurredAt: Date;
  readonly source: EventSource;
  /** An end that may be of a broadcast that never was: only segments show that it was one. */
  readonly onlyIfObjects?: boolean;
}

/** The part of a recording that the decision looks at. */
export type KnownBroadcast = Pick<
  Recording,
  'id' | 'status' | 'startedAt' | 'endedAt' | 'startSource' | 'lastSegmentAt'
> & {
  /** Starts with which the recording went on after an end. */
  readonly reconnects: readonly Date[];
};

export type EventDecision =
  | { readonly act: 'create'; readonly startedAt: Date }
  /** The start was lost; `onlyIfObjects`: unless there are new segments, this is only a known end told again. */
  | { readonly act: 'create-ended'; readonly endedAt: Date; readonly onlyIfObjects: boolean }
  /** A broadcast that is over by now: another one's start is known to follow, its own end was not heard. */
  | { readonly act: 'create-past'; readonly startedAt: Date; readonly endedAt: Date; readonly followedBy: string }
  | { readonly act: 'end'; readonly recordingId: string; readonly endedAt: Date }
  | { readonly act: 'supersede'; readonly recordingId: string; readonly startedAt: Date }
  /** What was taken for one broadcast are two: the later one has the end. */
  | { readonly act: 'split'; readonly recordingId: string; readonly startedAt: Date; readonly endedAt: Date }
  | { readonly act: 'resume'; readonly recordingId: string; readonly resumedAt: Date }
  | { readonly act: 'move-start'; readonly recordingId: string; readonly startedAt: Date }
  | { readonly act: 'none'; readonly why: string };

/** A broadcast is never that short: its end lies before its start only where two sources have rounded the two times. */
const ROUNDING_MS = 1000;

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
  if (broadcasts.some((broadcast) => isSameStart(event, broadcast, rules)))
    return { act: 'none', why: 'this start is recorded already' };

  const later = broadcasts.find((broadcast) => broadcast.startedAt.getTime() > at);
  const current = broadcasts.findLast((broadcast) => broadcast.startedAt.getTime() <= at);
  if (current && (!current.endedAt || at <= current.endedAt.getTime()))
    return decideStartWithin(event, current, later, rules);
  // Met before its start was told, by an end that came first. All other starts are told by their one time.
  if (later && isGuess(later)) return { act: 'move-start', recordingId: later.id, startedAt: event.occurredAt };
  if (later) return createPast(event, later);
  if (current && isReconnect(event, current, rules))
    return { act: 'resume', recordingId: current.id, resumedAt: event.occurredAt };
  return { act: 'create', startedAt: event.occurredAt };
}

/** A start after another one's start and not after its end: the two cannot be one broadcast. */
function decideStartWithin(
  event: StreamEvent,
  current: KnownBroadcast,
  later: KnownBroadcast | undefined,
  rules: EventRules,
): EventDecision {
  const startedAt = event.occurredAt;
  // As another source rounds it. Not more than that: a broadcast of two seconds is one.
  if (current.reconnects.some((resumedAt) => Math.abs(resumedAt.getTime() - startedAt.getTime()) <= ROUNDING_MS))
    return { act: 'none', why: 'the recording went on with this start' };
  if (!current.endedAt) {
    // No end was heard, and the stream starts anew: it was lost, or it comes later than this start.
    const silentSince = (current.lastSegmentAt ?? current.startedAt).getTime();
    return rules.reconnectWindowMs > 0 && startedAt.getTime() - silentSince <= rules.reconnectWindowMs
      ? { act: 'resume', recordingId: current.id, resumedAt: startedAt }
      : { act: 'supersede', recordingId: current.id, startedAt };
  }
  // In the very second of the end it is the start of the next one.
  if (isGuess(current) && startedAt < current.endedAt) return { act: 'move-start', recordingId: current.id, startedAt };
  if (current.endedAt.getTime() - startedAt.getTime() <= rules.sameStartMs) {
    if (later) return createPast(event, later);
    return isReconnect(event, current, rules)
      ? { act: 'resume', recordingId: current.id, resumedAt: startedAt }
      : { act: 'create', startedAt };
  }
  return { act: 'split', recordingId: current.id, startedAt, endedAt: current.endedAt };
}

function createPast({ occurredAt }: StreamEvent, later: KnownBroadcast): EventDecision {
  return { act: 'create-past', startedAt: occurredAt, endedAt: later.startedAt, followedBy: later.id };
}

function isGuess(broadcast: KnownBroadcast): boolean {
  return broadcast.startSource === 'ended-event';
}

function isReconnect(event: StreamEvent, ended: KnownBroadcast, rules: EventRules): boolean {
  if (!ended.endedAt || ended.status !== 'processing') return false;
  return event.occurredAt.getTime() - ended.endedAt.getTime() <= rules.reconnectWindowMs && rules.reconnectWindowMs > 0;
}

/** One source tells one start with one time; two sources may round differently. */
function isSameStart(event: StreamEvent, broadcast: KnownBroadcast, rules: EventRules): boolean {
  const apartMs = Math.abs(broadcast.startedAt.getTime() - event.occurredAt.getTime());
  // In the very second of the end it is the start of the next one.
  const afterItsEnd = broadcast.endedAt !== null && event.occurredAt.getTime() >= broadcast.endedAt.getTime();
  if (broadcast.reconnects.some((resumedAt) => resumedAt.getTime() === event.occurredAt.getTime())) return true;
  return apartMs === 0 || (!afterItsEnd && event.source !== broadcast.startSource && apartMs <= rules.sameStartMs);
}

function decideEnd(event: StreamEvent, broadcasts: readonly KnownBroadcast[], rules: EventRules): EventDecision {
  const at = event.occurredAt.getTime();
  const begun = findBegun(event, broadcasts, rules);
  if (begun?.reconnects.some((resumedAt) => resumedAt.getTime() >= at))
    return { act: 'none', why: 'the recording has gone on after this end' };
  if (begun?.status === 'recording') return { act: 'end', recordingId: begun.id, endedAt: event.occurredAt };
  if (begun && (begun.endedAt === null || at <= begun.endedAt.getTime() + rules.sameStartMs)) {
    return { act: 'none', why: 'this end is recorded already' };
  }
  // A broadcast that nobody told the start of; or a known end told again with another time: its segments decide.
  return {
    act: 'create-ended',
    endedAt: event.occurredAt,
    onlyIfObjects: event.onlyIfObjects || broadcasts.length > 0,
  };
}

/** The broadcast that this is the end of, as far as the times say it. */
function findBegun(
  event: StreamEvent,
  broadcasts: readonly KnownBroadcast[],
  rules: EventRules,
): KnownBroadcast | undefined {
  const at = event.occurredAt.getTime();
  // An end just before a start is the end of the one before, if there is one, else a matter of rounding.
  const last = broadcasts.findLastIndex((broadcast) => broadcast.startedAt.getTime() <= at);
  // One source rounds a start and an end alike: from it, that end is of a broadcast whose start was lost.
  if (last < 0)
    return broadcasts.find(
      (broadcast) => broadcast.startSource !== event.source && broadcast.startedAt.getTime() - ROUNDING_MS <= at,
    );
  const [before, begun] = [broadcasts[last - 1], broadcasts[last]];
  // In the very second of a start it is the end of the one before, where that one ran until then.
  const ranUntilThen = before && (before.endedAt?.getTime() ?? at) >= at - rules.sameStartMs;
  return ranUntilThen && begun?.startedAt.getTime() === at ? before : begun;
}
